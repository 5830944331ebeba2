#include "media/png_text.h"

#include <algorithm>

#include "svd/error.h"

extern "C" {
#include <libavutil/crc.h>
}

namespace svd::media {
namespace {

constexpr std::string_view kSignature = "\x89PNG\r\n\x1a\n";
constexpr std::size_t kHeaderEnd = 8 + 12 + 13;  // signature, IHDR
// Keyword, then: not compressed, method 0, no language, no translated keyword.
constexpr std::string_view kPrefix("Comment\0\0\0\0\0", 12);

void append_number(std::vector<std::uint8_t>& bytes, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8)
    bytes.push_back(static_cast<std::uint8_t>(value >> shift));
}

std::uint32_t read_number(std::span<const std::uint8_t> bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | bytes[at + i];
  return value;
}

std::string_view text_of(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

bool is_png_file(std::span<const std::uint8_t> bytes) {
  return text_of(bytes).starts_with(kSignature);
}

std::vector<std::uint8_t> with_png_comment(std::span<const std::uint8_t> png,
                                           std::string_view text) {
  if (!is_png_file(png) || png.size() < kHeaderEnd)
    throw Error(ErrorKind::internal, "with_png_comment: not a PNG file");
  const std::size_t length = kPrefix.size() + text.size();
  std::vector<std::uint8_t> bytes(png.begin(), png.begin() + kHeaderEnd);
  append_number(bytes, static_cast<std::uint32_t>(length));
  const std::size_t named = bytes.size();
  for (const std::string_view part : {std::string_view("iTXt"), kPrefix, text})
    bytes.insert(bytes.end(), part.begin(), part.end());
  const AVCRC* table = av_crc_get_table(AV_CRC_32_IEEE_LE);
  append_number(bytes, ~av_crc(table, ~0u, bytes.data() + named, bytes.size() - named));
  bytes.insert(bytes.end(), png.begin() + kHeaderEnd, png.end());
  return bytes;
}

std::optional<std::string> png_comment(std::span<const std::uint8_t> png, std::size_t limit) {
  constexpr std::size_t around = 12;  // length, name, CRC
  std::size_t at = kSignature.size();
  while (png.size() >= around && at <= png.size() - around) {
    const std::size_t length = read_number(png, at);
    if (length > png.size() - around - at) return {};
    const std::string_view name = text_of(png.subspan(at + 4, 4));
    const std::string_view body = text_of(png.subspan(at + 8, length));
    if (name == "iTXt" && body.starts_with(kPrefix) && length - kPrefix.size() <= limit)
      return std::string(body.substr(kPrefix.size()));
    at += around + length;
  }
  return {};
}

}  // namespace svd::media
