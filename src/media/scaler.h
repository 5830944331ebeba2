#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "media/libav.h"

/// RGB pixels to and from libav's frames. Private to src/media.
namespace svd::media {

/// A writable frame with memory for its pixels and the colour tags of its format.
libav::Frame new_frame(AVPixelFormat format, int width, int height, const std::string& file);

/// Converts interleaved RGB, 8 or 16 bits a channel, to one pixel format, once and exactly rounded.
class RgbScaler {
 public:
  /// Errors name `file`.
  RgbScaler(int width, int height, int bit_depth, AVPixelFormat target, std::string file);

  /// Fills `frame`, which is of the target's format and size.
  void convert(std::span<const std::uint8_t> rgb, AVFrame* frame) const;

 private:
  int height_, bytes_per_row_;
  std::string file_;
  libav::Scaler scaler_;
};

/// The way back: frames of one format and size to interleaved RGB, 8 or 16 bits a channel.
class RgbReader {
 public:
  RgbReader(AVPixelFormat format, int width, int height, int bit_depth, std::string file);

  std::vector<std::uint8_t> read(const AVFrame& frame) const;

 private:
  int height_, bytes_per_row_;
  std::string file_;
  libav::Scaler scaler_;
};

}  // namespace svd::media
