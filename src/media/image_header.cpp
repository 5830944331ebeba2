#include "media/image_header.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "media/byte_view.h"
#include "media/containers.h"
#include "svd/error.h"

namespace svd::media {
namespace {

using std::string_view_literals::operator""sv;

[[noreturn]] void fail_cut_off(ImageFormat format, const std::string& name) {
  throw Error(ErrorKind::image,
              name + ": the " + to_string(format) + " file is cut off, its picture is incomplete",
              "copy or download it again");
}

std::optional<ImageFormat> sniff(ByteView file) {
  if (file.has(0, "\x89PNG\r\n\x1a\n")) return ImageFormat::png;
  if (file.has(0, "\xff\xd8\xff")) return ImageFormat::jpeg;
  if (file.has(0, "RIFF") && file.has(8, "WEBP")) return ImageFormat::webp;
  if (file.has(0, "II*\0"sv) || file.has(0, "MM\0*"sv)) return ImageFormat::tiff;
  if (file.has(0, "GIF87a") || file.has(0, "GIF89a")) return ImageFormat::gif;
  // Two letters say little: the size of the second header has to be one that exists.
  if (file.has(0, "BM") && file.size() >= 18) {
    const std::uint32_t header = file.little(14, 4);
    if (header == 12 || (header >= 40 && header <= 124)) return ImageFormat::bmp;
  }
  if (file.size() >= 3 && file.u8(0) == 'P' && file.u8(1) >= '1' && file.u8(1) <= '7' &&
      (file.u8(2) == '#' || is_pnm_space(file.u8(2)))) {
    return ImageFormat::pnm;
  }
  return {};
}

struct Foreign {
  const char* what;
  const char* convert;  ///< the command up to the file's name
  const char* target = "picture.png";
};

/// Formats that people have and that are not read.
std::optional<Foreign> sniff_foreign(ByteView file) {
  constexpr const char* kOneFrame = "-frames:v 1 picture.png";
  if (file.has(4, "ftyp")) {
    const std::size_t end = std::min<std::size_t>(file.size(), file.big(0, 4));
    for (std::size_t brand = 8; brand + 4 <= end; brand += 4) {
      if (file.has(brand, "avif") || file.has(brand, "avis")) return Foreign{"AVIF", "avifdec"};
      if (file.has(brand, "hei") || file.has(brand, "hev") || file.has(brand, "mif1"))
        return Foreign{"HEIC", "heif-convert"};
    }
    return Foreign{"MP4 or MOV", "ffmpeg -i", kOneFrame};
  }
  if (file.has(0, "\0\0\0\x0cJXL "sv) || file.has(0, "\xff\x0a")) return Foreign{"JPEG XL", "djxl"};
  if (file.has(0, "\0\0\0\x0cjP  "sv)) return Foreign{"JPEG 2000", "convert"};
  if (file.has(0, "II+\0"sv) || file.has(0, "MM\0+"sv)) return Foreign{"BigTIFF", "convert"};
  if (file.has(0, "\x1a\x45\xdf\xa3")) return Foreign{"MKV or WebM", "ffmpeg -i", kOneFrame};
  if (file.has(0, "8BPS")) return Foreign{"Photoshop", "convert"};
  if (file.has(0, "%PDF")) return Foreign{"PDF", "convert"};
  if (file.has(0, "<svg") || (file.has(0, "<?xml") && contains(file, "<svg")))
    return Foreign{"SVG", "rsvg-convert -o picture.png", ""};
  return {};
}

[[noreturn]] void fail_unknown(ByteView file, const std::string& name) {
  if (const auto foreign = sniff_foreign(file)) {
    throw Error(
        ErrorKind::image, name + " is " + foreign->what + ", which is not read",
        std::string("convert it: ") + foreign->convert + " '" + name + "' " + foreign->target);
  }
  throw Error(ErrorKind::image, name + " is not a picture in a known format",
              "known are PNG, JPEG, WebP, TIFF, BMP, PNM and GIF");
}

}  // namespace

const char* to_string(ImageFormat format) {
  switch (format) {
    case ImageFormat::png:
      return "PNG";
    case ImageFormat::jpeg:
      return "JPEG";
    case ImageFormat::webp:
      return "WebP";
    case ImageFormat::tiff:
      return "TIFF";
    case ImageFormat::bmp:
      return "BMP";
    case ImageFormat::pnm:
      return "PNM";
    case ImageFormat::gif:
      return "GIF";
  }
  return "unknown";
}

void check_known(std::span<const std::uint8_t> bytes, const std::string& name) {
  const ByteView file(bytes);
  if (bytes.empty()) throw Error(ErrorKind::image, name + " is empty, expected a picture");
  if (!sniff(file)) fail_unknown(file, name);
}

ImageHeader read_header(std::span<const std::uint8_t> bytes, const std::string& name) {
  check_known(bytes, name);
  ImageHeader header;
  header.format = sniff(ByteView(bytes)).value();
  try {
    container_of(header.format).read(ByteView(bytes), header);
  } catch (const CutOff&) {
    fail_cut_off(header.format, name);
  } catch (const Unsupported& unsupported) {
    throw Error(ErrorKind::image, name + ": " + unsupported.what(),
                "convert it: convert '" + name + "' picture.png");
  }
  return header;
}

void check_complete(std::span<const std::uint8_t> bytes, const ImageHeader& header,
                    const std::string& name) {
  try {
    container_of(header.format).check(ByteView(bytes));
  } catch (const CutOff&) {
    fail_cut_off(header.format, name);
  }
}

}  // namespace svd::media
