#pragma once

#include <cstdint>
#include <span>

namespace svd {

/// Where finished frames go: an MP4 file, a folder of PNGs, a test double. Frames arrive in display
/// order. A sink that is destroyed before `finish` returned leaves nothing behind.
class FrameSink {
 public:
  virtual ~FrameSink() = default;

  /// One frame, 8-bit RGB, height * width * 3 bytes. Throws Error{output}.
  virtual void write(std::span<const std::uint8_t> rgb) = 0;

  /// Completes, verifies and publishes the output under its final name. Throws Error{output}.
  virtual void finish() = 0;
};

}  // namespace svd
