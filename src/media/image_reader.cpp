#include "media/image_reader.h"

#include <utility>

#include "media/containers.h"
#include "media/decoders.h"
#include "media/image_header.h"
#include "media/input_file.h"
#include "media/pixels.h"
#include "svd/error.h"

namespace svd::media {
namespace {

[[noreturn]] void fail(const std::string& message, const std::string& hint = {}) {
  throw Error(ErrorKind::image, message, hint);
}

/// "100 million", or the number itself where it has no round name.
std::string in_words(std::int64_t pixels) {
  constexpr std::int64_t million = 1'000'000;
  return pixels % million == 0 ? std::to_string(pixels / million) + " million"
                               : std::to_string(pixels);
}

}  // namespace

void check_size(std::int64_t width, std::int64_t height, std::int64_t max_pixels,
                const std::string& name) {
  const std::string size = name + " has " + std::to_string(width) + "x" + std::to_string(height);
  if (width < 1 || height < 1) fail(size + " pixels, expected at least 1x1");
  // Sides below 2^32: the product may not fit.
  if (width > max_pixels / height) {
    fail(size + " pixels, more than " + in_words(max_pixels),
         "scale it down first, or allow more with --max-pixels");
  }
  if (width * height < kMinPixels)
    fail(size + " pixels, expected " + std::to_string(kMinPixels) + " or more in all");
}

Image decode_image(const std::vector<std::uint8_t>& bytes, const std::string& name,
                   std::int64_t max_pixels) {
  const ImageHeader header = read_header(bytes, name);
  check_size(header.width, header.height, max_pixels, name);
  check_complete(bytes, header, name);
  const bool by_libav = header.format == ImageFormat::gif || header.format == ImageFormat::pnm;
  Image image = by_libav ? decode_with_libav(bytes, header, name, max_pixels)
                         : decode_with_opencv(bytes, header, name);
  return make_upright(std::move(image), header.orientation);
}

Image read_image(const std::string& path, std::int64_t max_pixels) {
  InputFile file(path);
  std::vector<std::uint8_t> bytes;
  file.read(bytes, kFirstBytes);
  check_known(bytes, file.name());  // before reading what may be a large file of another kind
  file.read_rest(bytes);
  return decode_image(bytes, file.name(), max_pixels);
}

}  // namespace svd::media
