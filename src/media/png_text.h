#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace svd::media {

bool is_png_file(std::span<const std::uint8_t> bytes);

/// The PNG file `png` with `text`, UTF-8, in an iTXt chunk "Comment" behind its header.
std::vector<std::uint8_t> with_png_comment(std::span<const std::uint8_t> png,
                                           std::string_view text);

/// The text of the first such chunk that is not compressed and has at most `limit` bytes, null if
/// there is none. `png` may be cut off anywhere.
std::optional<std::string> png_comment(std::span<const std::uint8_t> png, std::size_t limit);

}  // namespace svd::media
