#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "svd/image.h"

namespace svd::media {

/// A sample of 0 to `max` as a byte, after composing it over black with `alpha` of 0 to `max`,
/// rounded once.
std::uint8_t to_byte_over_black(std::uint32_t value, std::uint32_t alpha, std::uint32_t max);

/// Decoded samples of 8 or 16 bits (native byte order), rows `stride` bytes apart, as they lie in
/// memory: grey, BGR or BGRA.
struct Samples {
  const std::uint8_t* data = nullptr;
  std::size_t stride = 0;
  int width = 0;
  int height = 0;
  int channels = 0;   ///< 1, 3 or 4
  bool wide = false;  ///< 16 bits
};

/// 8-bit RGB over black; pixels of `transparent_colour` (RGB) are black.
Image to_rgb(const Samples& samples,
             const std::optional<std::array<std::uint16_t, 3>>& transparent_colour);

/// The picture turned and mirrored so that EXIF `orientation` (1 to 8) becomes upright.
Image make_upright(Image image, int orientation);

}  // namespace svd::media
