#pragma once

#include <cstdint>
#include <span>

namespace svd {

/// Where finished frames go: an MP4 file, a folder of PNGs, a test double. Frames arrive in display
/// order. A sink that is destroyed before `finish` returned leaves nothing behind.
class FrameSink {
 public:
  virtual ~FrameSink() = default;

  /// Bits a channel that `write` takes: 8, or 16 where the file keeps more than 8.
  virtual int bit_depth() const { return 8; }

  /// One RGB frame, rows from top to bottom: height * width * 3 bytes, or twice as many for 16 bits
  /// (native byte order). Throws Error{output}.
  virtual void write(std::span<const std::uint8_t> rgb) = 0;

  /// Completes, verifies and publishes the output under its final name. Throws Error{output}.
  virtual void finish() = 0;
};

}  // namespace svd
