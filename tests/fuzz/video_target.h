#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>

#include "fuzz/expected.h"
#include "media/byte_source.h"
#include "media/video_reader.h"

namespace svd::fuzz {

/// Any bytes that begin like a clip: its first frame, its last, and one in between.
inline int fuzz_video(const std::uint8_t* data, std::size_t size) {
  constexpr std::int64_t max_pixels = 1 << 16;
  const std::span<const std::uint8_t> bytes(data, size);
  const bool gif = size > 4 && data[0] == 'G' && data[1] == 'I' && data[2] == 'F';
  const char* container = gif ? media::kGifContainer : media::clip_container(bytes);
  if (container == nullptr) return -1;  // not worth keeping
  for (const media::FrameTime time :
       {media::FrameTime{0}, media::FrameTime{250'000}, media::kLastFrame}) {
    expect(ErrorKind::image, [&] {
      const media::MemorySource source(bytes);
      const Image image = media::read_frame(source, container, time, "fuzz", max_pixels);
      const std::int64_t pixels = std::int64_t{image.width} * image.height;
      if (pixels > max_pixels || image.rgb.size() != static_cast<std::size_t>(pixels) * 3)
        throw std::logic_error("the frame has another size than it says");
    });
  }
  return 0;
}

}  // namespace svd::fuzz
