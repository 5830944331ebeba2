#include "media/containers.h"

#include <libexif/exif-data.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>

#include "media/tiff_directory.h"

namespace svd::media {
namespace {

using std::string_view_literals::operator""sv;

/// Orientation of an EXIF block, with or without its "Exif\0\0"; 1 if it has none or is broken.
int exif_orientation(ByteView block) {
  constexpr auto signature = "Exif\0\0"sv;
  std::vector<std::uint8_t> bytes;
  if (!block.has(0, signature)) bytes.assign(signature.begin(), signature.end());
  bytes.insert(bytes.end(), block.bytes().begin(), block.bytes().end());
  const std::unique_ptr<ExifData, decltype(&exif_data_unref)> exif(
      exif_data_new_from_data(bytes.data(), static_cast<unsigned>(bytes.size())), exif_data_unref);
  if (!exif) return 1;
  const ExifEntry* entry = exif_content_get_entry(exif->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
  if (entry == nullptr || entry->format != EXIF_FORMAT_SHORT || entry->size < 2) return 1;
  const int value = exif_get_short(entry->data, exif_data_get_byte_order(exif.get()));
  return value >= 1 && value <= 8 ? value : 1;
}

// PNG: signature, then chunks of length, type, data, checksum.

constexpr std::uint64_t kPngStart = 8;
constexpr std::uint64_t kPngExtra = 12;  // length, type and checksum

std::uint16_t png_key(ByteView data, std::uint64_t offset, int depth) {
  const std::uint32_t value = data.big(offset, 2);
  return static_cast<std::uint16_t>(depth < 8 ? value * 255 / ((1u << depth) - 1) : value);
}

void read_png(ByteView file, ImageHeader& header) {
  if (!file.has(kPngStart + 4, "IHDR")) throw CutOff();
  header.width = file.big(16, 4);
  header.height = file.big(20, 4);
  const int depth = file.u8(24), colour_type = file.u8(25);
  if (depth != 1 && depth != 2 && depth != 4 && depth != 8 && depth != 16)
    throw Unsupported("a PNG with samples of " + std::to_string(depth) + " bits");
  for (std::uint64_t at = kPngStart; at + kPngExtra <= file.size();) {
    const std::uint32_t size = file.big(at, 4);
    if (at + kPngExtra + size > file.size()) return;
    const ByteView data = file.part(at + 8, size);
    if (file.has(at + 4, "eXIf")) header.orientation = exif_orientation(data);
    if (file.has(at + 4, "tRNS") && colour_type == 0 && size >= 2) {
      const std::uint16_t grey = png_key(data, 0, depth);
      header.transparent_colour = {grey, grey, grey};
    }
    if (file.has(at + 4, "tRNS") && colour_type == 2 && size >= 6) {
      header.transparent_colour = {png_key(data, 0, depth), png_key(data, 2, depth),
                                   png_key(data, 4, depth)};
    }
    at += kPngExtra + size;
  }
}

void check_png(ByteView file) {
  for (std::uint64_t at = kPngStart;;) {
    const std::uint32_t size = file.big(at, 4);
    file.part(at, kPngExtra + size);
    if (file.has(at + 4, "IEND")) return;
    at += kPngExtra + size;
  }
}

// JPEG: segments of marker, length, data; after SOS entropy-coded data, where 0xff is followed by 0
// or a restart marker.

struct JpegSegment {
  int marker = 0;
  std::uint64_t data = 0;
  std::uint64_t end = 0;
};

bool stands_alone(int marker) { return marker == 0x01 || (marker >= 0xd0 && marker <= 0xd9); }

JpegSegment jpeg_segment(ByteView file, std::uint64_t at) {
  // Encoders leave stray bytes between segments; decoders skip them, and so do we.
  while (file.u8(at) != 0xff || file.u8(at + 1) == 0xff || file.u8(at + 1) == 0) ++at;
  JpegSegment segment{file.u8(at + 1), at + 2, at + 2};
  if (!stands_alone(segment.marker)) {
    segment.data = at + 4;
    segment.end = at + 2 + std::max(2u, file.big(at + 2, 2));
  }
  return segment;
}

bool is_frame_header(int marker) {
  return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

void read_jpeg(ByteView file, ImageHeader& header) {
  for (std::uint64_t at = 2;;) {
    const JpegSegment segment = jpeg_segment(file, at);
    if (segment.marker == 0xe1 && file.has(segment.data, "Exif\0\0"sv)) {
      header.orientation = exif_orientation(file.part(segment.data, segment.end - segment.data));
    }
    if (is_frame_header(segment.marker)) {
      if (file.u8(segment.data) != 8) throw Unsupported("a JPEG with more than 8 bits");
      header.height = file.big(segment.data + 1, 2);
      header.width = file.big(segment.data + 3, 2);
      return;
    }
    if (segment.marker == 0xd9 || segment.marker == 0xda) throw CutOff();
    at = segment.end;
  }
}

void check_jpeg(ByteView file) {
  for (std::uint64_t at = 2;;) {
    const JpegSegment segment = jpeg_segment(file, at);
    if (segment.marker == 0xd9) return;
    at = segment.end;
  }
}

// GIF: logical screen, then blocks of sub-blocks, each with its length in a byte, up to one of
// length 0.

std::uint64_t gif_table_bytes(std::uint8_t flags) {
  return (flags & 0x80) != 0 ? std::uint64_t{3} << ((flags & 7) + 1) : 0;
}

std::uint64_t skip_sub_blocks(ByteView file, std::uint64_t at) {
  while (file.u8(at) != 0) at += file.u8(at) + 1u;
  return at + 1;
}

void read_gif(ByteView file, ImageHeader& header) {
  header.width = file.little(6, 2);
  header.height = file.little(8, 2);
}

void check_gif(ByteView file) {
  for (std::uint64_t at = 13 + gif_table_bytes(file.u8(10));;) {
    const int kind = file.u8(at);
    if (kind == 0x2c) {
      skip_sub_blocks(file, at + 11 + gif_table_bytes(file.u8(at + 9)));
      return;
    }
    if (kind != 0x21) throw CutOff();
    at = skip_sub_blocks(file, at + 2);
  }
}

// BMP: file header of 14 bytes, then one of a size that tells its version.

void read_bmp(ByteView file, ImageHeader& header) {
  if (file.little(14, 4) == 12) {
    header.width = file.little(18, 2);
    header.height = file.little(20, 2);
  } else {
    header.width = static_cast<std::int32_t>(file.little(18, 4));
    // Negative: rows from top to bottom.
    header.height = std::abs(std::int64_t{static_cast<std::int32_t>(file.little(22, 4))});
  }
}

/// Nothing to do without decoding, which notices missing data.
void check_nothing(ByteView) {}

// PNM: text, then numbers or bytes.

/// The next word; `at` is left behind it.
std::string pnm_word(ByteView file, std::uint64_t& at) {
  while (is_pnm_space(file.u8(at)) || file.u8(at) == '#') {
    if (file.u8(at) == '#')
      while (file.u8(at) != '\n') ++at;
    ++at;
  }
  std::string word;
  while (!is_pnm_space(file.u8(at)) && word.size() < 16) word += static_cast<char>(file.u8(at++));
  return word;
}

std::int64_t pnm_number(ByteView file, std::uint64_t& at) {
  return std::strtoll(pnm_word(file, at).c_str(), nullptr, 10);
}

void read_pnm(ByteView file, ImageHeader& header) {
  std::uint64_t at = 2;
  if (file.u8(1) != '7') {
    header.width = pnm_number(file, at);
    header.height = pnm_number(file, at);
    return;
  }
  for (std::string word = pnm_word(file, at); word != "ENDHDR"; word = pnm_word(file, at)) {
    if (word == "WIDTH") header.width = pnm_number(file, at);
    if (word == "HEIGHT") header.height = pnm_number(file, at);
  }
}

// TIFF

void read_tiff(ByteView file, ImageHeader& header) {
  constexpr int subfile_type = 254, image_width = 256, image_length = 257;
  const TiffDirectory directory(file);
  if ((directory.number(subfile_type).value_or(0) & 1) != 0)
    throw Unsupported("a camera's raw file, whose first picture is a preview only");
  header.width = directory.number(image_width).value_or(0);
  header.height = directory.number(image_length).value_or(0);
  header.orientation = directory.orientation();
}

void check_tiff(ByteView file) {
  constexpr std::pair<int, int> parts[] = {{273, 279}, {324, 325}};  // strips, tiles
  const TiffDirectory directory(file);
  for (const auto& [offsets_tag, sizes_tag] : parts) {
    const auto offsets = directory.numbers(offsets_tag), sizes = directory.numbers(sizes_tag);
    for (std::size_t i = 0; i < std::min(offsets.size(), sizes.size()); ++i)
      file.part(offsets[i], sizes[i]);
  }
}

// WebP: RIFF chunks of type, length, data and a byte of padding after odd lengths.

constexpr std::uint64_t kWebpStart = 12;

std::uint64_t next_chunk(ByteView file, std::uint64_t at) {
  const std::uint64_t size = file.little(at + 4, 4);
  return at + 8 + size + size % 2;
}

void read_webp_size(ByteView file, std::uint64_t at, ImageHeader& header) {
  if (file.has(at, "VP8X")) {
    header.animated = (file.u8(at + 8) & 2) != 0;
    header.width = file.little(at + 12, 3) + 1;
    header.height = file.little(at + 15, 3) + 1;
  } else if (file.has(at, "VP8L")) {
    const std::uint32_t bits = file.little(at + 9, 4);
    header.width = (bits & 0x3fff) + 1;
    header.height = (bits >> 14 & 0x3fff) + 1;
  } else if (file.has(at, "VP8 ")) {
    header.width = file.little(at + 14, 2) & 0x3fff;
    header.height = file.little(at + 16, 2) & 0x3fff;
  }
}

void read_webp(ByteView file, ImageHeader& header) {
  read_webp_size(file, kWebpStart, header);
  for (std::uint64_t at = kWebpStart; at + 8 <= file.size(); at = next_chunk(file, at)) {
    const std::uint64_t size = file.little(at + 4, 4);
    if (file.has(at, "EXIF") && at + 8 + size <= file.size())
      header.orientation = exif_orientation(file.part(at + 8, size));
  }
}

void check_webp(ByteView file) { file.part(8, file.little(4, 4)); }

void append_chunk(std::vector<std::uint8_t>& out, std::string_view type,
                  std::span<const std::uint8_t> data) {
  out.insert(out.end(), type.begin(), type.end());
  for (int shift = 0; shift < 32; shift += 8)
    out.push_back(static_cast<std::uint8_t>(data.size() >> shift));
  out.insert(out.end(), data.begin(), data.end());
  if (data.size() % 2 != 0) out.push_back(0);
}

}  // namespace

bool is_pnm_space(std::uint8_t byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r'); }

bool contains(ByteView file, std::string_view text) {
  const auto bytes = file.bytes();
  return std::search(bytes.begin(), bytes.end(), text.begin(), text.end()) != bytes.end();
}

WebpFrame first_webp_frame(std::span<const std::uint8_t> bytes) {
  const ByteView file(bytes);
  std::uint64_t at = kWebpStart;
  while (!file.has(at, "ANMF")) {
    file.part(at, 8);
    at = next_chunk(file, at);
  }
  const ByteView frame = file.part(at + 8, file.little(at + 4, 4));
  // An extended header with nothing but the frame's size and its alpha bit.
  std::vector<std::uint8_t> extended(4);
  extended[0] = 0x10;
  const auto size = frame.part(6, 6).bytes();
  extended.insert(extended.end(), size.begin(), size.end());
  std::vector<std::uint8_t> body = {'W', 'E', 'B', 'P'};
  append_chunk(body, "VP8X", extended);
  const auto chunks = frame.from(16).bytes();
  body.insert(body.end(), chunks.begin(), chunks.end());

  WebpFrame result;
  result.left = static_cast<int>(frame.little(0, 3) * 2);
  result.top = static_cast<int>(frame.little(3, 3) * 2);
  result.width = static_cast<int>(frame.little(6, 3) + 1);
  result.height = static_cast<int>(frame.little(9, 3) + 1);
  append_chunk(result.file, "RIFF", body);
  return result;
}

const Container& container_of(ImageFormat format) {
  static constexpr Container png{read_png, check_png}, jpeg{read_jpeg, check_jpeg},
      webp{read_webp, check_webp}, tiff{read_tiff, check_tiff}, bmp{read_bmp, check_nothing},
      pnm{read_pnm, check_nothing}, gif{read_gif, check_gif};
  switch (format) {
    case ImageFormat::png:
      return png;
    case ImageFormat::jpeg:
      return jpeg;
    case ImageFormat::webp:
      return webp;
    case ImageFormat::tiff:
      return tiff;
    case ImageFormat::bmp:
      return bmp;
    case ImageFormat::pnm:
      return pnm;
    case ImageFormat::gif:
      return gif;
  }
  throw Unsupported("an unknown format");
}

}  // namespace svd::media
