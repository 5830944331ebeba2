#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "svd/image.h"

namespace svd::media {

/// Pixels an input may have before it is refused unread, where nothing else is asked for.
inline constexpr std::int64_t kMaxPixels = 100'000'000;
/// What can be asked for at most: OpenCV's own limit. FFmpeg's, for GIF, PNM and clips, is 2^28.
inline constexpr std::int64_t kLargestMaxPixels = std::int64_t{1} << 30;
/// Fewest pixels an input may have.
inline constexpr std::int64_t kMinPixels = 16;
/// So many bytes say of what kind an input is.
inline constexpr std::size_t kFirstBytes = std::size_t{64} << 10;

/// Reads a still picture (PNG, JPEG, WebP, TIFF, BMP, PNM, GIF's first frame) from `path`, or from
/// standard input when it is "-". Upright by its EXIF orientation, alpha composed over black,
/// 16-bit scaled to 8, grey and CMYK turned into RGB. Throws Error{image}: not there, a folder, not
/// an image, cut off, too small, too large.
Image read_image(const std::string& path, std::int64_t max_pixels = kMaxPixels);

/// The same from memory; `name` is used in messages.
Image decode_image(const std::vector<std::uint8_t>& bytes, const std::string& name,
                   std::int64_t max_pixels = kMaxPixels);

/// Throws Error{image} unless a picture of this size may be decoded.
void check_size(std::int64_t width, std::int64_t height, std::int64_t max_pixels,
                const std::string& name);

}  // namespace svd::media
