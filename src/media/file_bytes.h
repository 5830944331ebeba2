#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

/// Whole files. Private to src/media.
namespace svd::media {

inline std::span<const std::uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// Writes `bytes` to a new or empty file. Throws Error{output} that names `shown`, the path that
/// the user knows.
void write_file(const std::filesystem::path& path, std::span<const std::uint8_t> bytes,
                const std::filesystem::path& shown);

/// The first bytes of a file, at most `limit`; null if there is no such file. Throws Error{image}.
std::optional<std::vector<std::uint8_t>> read_file(const std::filesystem::path& path,
                                                   std::size_t limit);

}  // namespace svd::media
