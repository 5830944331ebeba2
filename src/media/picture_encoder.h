#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace svd::media {

/// The file of one picture: `rgb` is interleaved, 8 or 16 bits a channel, `format` is "png", "jpeg"
/// or "tiff", `quality` is that of JPEG. Throws Error{output}.
std::vector<std::uint8_t> encode_picture(std::span<const std::uint8_t> rgb, int width, int height,
                                         int bit_depth, const std::string& format,
                                         std::optional<int> quality);

}  // namespace svd::media
