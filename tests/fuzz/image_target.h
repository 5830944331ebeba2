#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "fuzz/expected.h"
#include "media/image_reader.h"

namespace svd::fuzz {

/// Any bytes as a still picture of at most a quarter of a million pixels.
inline int fuzz_image(const std::uint8_t* data, std::size_t size) {
  constexpr std::int64_t max_pixels = 1 << 18;
  expect(ErrorKind::image, [&] {
    const Image image = media::decode_image({data, data + size}, "fuzz", max_pixels);
    const std::int64_t pixels = std::int64_t{image.width} * image.height;
    if (pixels > max_pixels || image.rgb.size() != static_cast<std::size_t>(pixels) * 3)
      throw std::logic_error("the picture has another size than it says");
  });
  return 0;
}

}  // namespace svd::fuzz
