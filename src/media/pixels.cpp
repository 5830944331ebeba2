#include "media/pixels.h"

#include <cstddef>
#include <utility>

namespace svd::media {
namespace {

template <typename Sample>
Image convert(const Samples& samples,
              const std::optional<std::array<std::uint16_t, 3>>& transparent_colour) {
  constexpr std::uint32_t max = static_cast<Sample>(~Sample{0});
  const int green = samples.channels == 1 ? 0 : 1, red = samples.channels == 1 ? 0 : 2;
  Image image{samples.width, samples.height, {}};
  image.rgb.resize(static_cast<std::size_t>(samples.width) * samples.height * 3);
  std::uint8_t* target = image.rgb.data();
  for (int y = 0; y < samples.height; ++y) {
    const auto* pixel = reinterpret_cast<const Sample*>(
        samples.data + samples.stride * static_cast<std::size_t>(y));
    for (int x = 0; x < samples.width; ++x, pixel += samples.channels, target += 3) {
      const std::array<std::uint16_t, 3> rgb = {pixel[red], pixel[green], pixel[0]};
      std::uint32_t alpha = samples.channels == 4 ? pixel[3] : max;
      if (transparent_colour && rgb == *transparent_colour) alpha = 0;
      for (int channel = 0; channel < 3; ++channel)
        target[channel] = to_byte_over_black(rgb[channel], alpha, max);
    }
  }
  return image;
}

}  // namespace

std::uint8_t to_byte_over_black(std::uint32_t value, std::uint32_t alpha, std::uint32_t max) {
  if (alpha == max)
    return static_cast<std::uint8_t>(max == 255 ? value : (value * 255 + max / 2) / max);
  const std::uint64_t whole = std::uint64_t{max} * max;
  return static_cast<std::uint8_t>((std::uint64_t{value} * alpha * 255 + whole / 2) / whole);
}

Image to_rgb(const Samples& samples,
             const std::optional<std::array<std::uint16_t, 3>>& transparent_colour) {
  return samples.wide ? convert<std::uint16_t>(samples, transparent_colour)
                      : convert<std::uint8_t>(samples, transparent_colour);
}

Image make_upright(Image image, int orientation) {
  if (orientation < 2 || orientation > 8) return image;
  // Orientations 5 to 8 swap rows and columns. The upright pixel (x, y) is the stored pixel
  // (x, y) or, swapped, (y, x), with the stored axes running backwards where it says so.
  const bool swapped = orientation >= 5;
  const bool backward_x = orientation == 2 || orientation == 3 || orientation >= 7;
  const bool backward_y =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const std::ptrdiff_t pixel = 3, row = pixel * image.width;
  std::ptrdiff_t step_x = backward_x ? -pixel : pixel, step_y = backward_y ? -row : row;
  const std::uint8_t* start = image.rgb.data() + (backward_x ? row - pixel : 0) +
                              (backward_y ? row * (image.height - 1) : 0);
  Image out{image.width, image.height, std::vector<std::uint8_t>(image.rgb.size())};
  if (swapped) {
    std::swap(out.width, out.height);
    std::swap(step_x, step_y);
  }
  std::uint8_t* target = out.rgb.data();
  for (int y = 0; y < out.height; ++y) {
    const std::uint8_t* source = start + step_y * y;
    for (int x = 0; x < out.width; ++x, source += step_x, target += pixel) {
      target[0] = source[0];
      target[1] = source[1];
      target[2] = source[2];
    }
  }
  return out;
}

}  // namespace svd::media
