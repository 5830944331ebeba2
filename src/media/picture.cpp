#include "media/picture.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/json.h"
#include "media/byte_view.h"
#include "media/download.h"
#include "media/image_header.h"
#include "media/input_file.h"
#include "media/input_name.h"
#include "media/sha256.h"
#include "media/video_reader.h"
#include "svd/error.h"

namespace svd::media {
namespace {

/// The container to read the input with as a clip; null: as a still picture. A GIF is both.
const char* container_for(std::span<const std::uint8_t> bytes, bool has_time) {
  const char* container = clip_container(bytes);
  const bool gif = ByteView(bytes).has(0, "GIF8");
  return container == nullptr && gif && has_time ? kGifContainer : container;
}

void check_still(std::span<const std::uint8_t> bytes, const std::string& name, bool has_time) {
  check_known(bytes, name);
  if (!has_time) return;
  throw Error(ErrorKind::image, name + " is a still picture, which has no frames",
              "leave the time away");
}

Image decode(const std::vector<std::uint8_t>& bytes, const std::string& name,
             std::optional<FrameTime> time, std::int64_t max_pixels) {
  if (const char* container = container_for(bytes, time.has_value()))
    return read_frame(MemorySource(bytes), container, time.value_or(0), name, max_pixels);
  check_still(bytes, name, time.has_value());
  return decode_image(bytes, name, max_pixels);
}

Picture fetch(const std::string& address, const InputOptions& options) {
  const std::string name = public_address(address);
  // A line break would begin a header of the request.
  const auto is_plain = [](unsigned char c) { return c > ' ' && c < 0x7f; };
  if (!std::all_of(address.begin(), address.end(), is_plain)) {
    throw Error(ErrorKind::usage, printable(name) + " is no address",
                "blanks in addresses are written as %20, other bytes likewise");
  }
  if (!options.allow_network) {
    throw Error(ErrorKind::usage, name + " is an address, and nothing is fetched unasked",
                "--allow-network allows it");
  }
  const std::vector<std::uint8_t> bytes = download(address);
  return {decode(bytes, name, {}, options.max_pixels), last_part(name), sha256_of(bytes)};
}

}  // namespace

Picture read_picture(const std::string& input, const InputOptions& options) {
  if (options.max_pixels < kMinPixels || options.max_pixels > kLargestMaxPixels) {
    throw Error(ErrorKind::usage, "--max-pixels is " + std::to_string(options.max_pixels) +
                                      ", expected " + std::to_string(kMinPixels) + " to " +
                                      std::to_string(kLargestMaxPixels));
  }
  if (is_address(input)) return fetch(input, options);
  const InputName parts = parse_input_name(input);
  InputFile file(parts.path);
  const std::string shown = parts.path == "-" ? file.name() : last_part(input);
  std::vector<std::uint8_t> bytes;
  file.read(bytes, kFirstBytes);
  const char* container = container_for(bytes, parts.time.has_value());
  if (container != nullptr && file.is_regular() && parts.path != "-") {
    Image frame =
        read_frame(file, container, parts.time.value_or(0), file.name(), options.max_pixels);
    return {std::move(frame), shown, sha256_of(file)};
  }
  // Before reading what may be a large file of another kind.
  if (container == nullptr) check_still(bytes, file.name(), parts.time.has_value());
  file.read_rest(bytes);
  return {decode(bytes, file.name(), parts.time, options.max_pixels), shown, sha256_of(bytes)};
}

}  // namespace svd::media
