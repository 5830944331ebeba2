#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "svd/image.h"

namespace svd::media {

/// Pixels an input may have before it is refused unread: 100 megapixels.
inline constexpr std::int64_t kMaxPixels = 100'000'000;
/// Fewest pixels an input may have.
inline constexpr std::int64_t kMinPixels = 16;

/// Reads a still picture (PNG, JPEG, WebP, TIFF, BMP, PNM, GIF's first frame) from `path`, or from
/// standard input when it is "-". Upright by its EXIF orientation, alpha composed over black,
/// 16-bit scaled to 8, grey and CMYK turned into RGB. Throws Error{image}: not there, a folder, not
/// an image, cut off, too small, too large.
Image read_image(const std::string& path);

/// The same from memory; `name` is used in messages.
Image decode_image(const std::vector<std::uint8_t>& bytes, const std::string& name);

}  // namespace svd::media
