#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "media/image_header.h"
#include "svd/image.h"

namespace svd::media {

/// The first picture of a file whose header was read, as it is stored: RGB over black, not turned
/// yet. Throws Error{image} if it is damaged.
Image decode_with_opencv(std::span<const std::uint8_t> bytes, const ImageHeader& header,
                         const std::string& name);

/// The same for GIF, which OpenCV does not read, and PNM, whose ranges other than 255 it ignores.
Image decode_with_libav(std::span<const std::uint8_t> bytes, const ImageHeader& header,
                        const std::string& name, std::int64_t max_pixels);

}  // namespace svd::media
