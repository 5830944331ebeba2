#pragma once

#include <stdexcept>
#include <string_view>
#include <vector>

#include "media/byte_view.h"
#include "media/image_header.h"

namespace svd::media {

/// A file of a known format that holds something which is not read; what() names it.
struct Unsupported : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// How the files of one format are built.
struct Container {
  /// Fills everything in `header` but the format. Data that are cut off later are no offence.
  /// Throws CutOff, Unsupported.
  void (*read)(ByteView file, ImageHeader& header);
  /// Throws CutOff if the first picture is not all there.
  void (*check)(ByteView file);
};

const Container& container_of(ImageFormat format);

bool is_pnm_space(std::uint8_t byte);
bool contains(ByteView file, std::string_view text);

/// The first frame of an animated WebP file as a file of its own, and where it lies on the canvas.
/// Throws CutOff.
struct WebpFrame {
  std::vector<std::uint8_t> file;
  int left = 0;
  int top = 0;
  int width = 0;
  int height = 0;
};
WebpFrame first_webp_frame(std::span<const std::uint8_t> file);

}  // namespace svd::media
