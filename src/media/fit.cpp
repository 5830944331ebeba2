#include "media/fit.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>

#include "svd/error.h"

namespace svd::media {
namespace {

constexpr int kChannels = 3;
constexpr int kPrecisionBits = 22;
constexpr double kLanczosSupport = 3.0;

double sinc(double x) {
  if (x == 0.0) return 1.0;
  const double angle = x * std::numbers::pi;
  return std::sin(angle) / angle;
}

double lanczos(double x) {
  if (x < -kLanczosSupport || x >= kLanczosSupport) return 0.0;
  return sinc(x) * sinc(x / kLanczosSupport);
}

/// Which inputs make one output sample, and with which weights.
struct Taps {
  int first = 0;
  std::vector<std::int32_t> weights;  ///< in units of 2^-22
};

std::vector<Taps> lanczos_taps(int in_size, int out_size) {
  const double scale = static_cast<double>(in_size) / out_size;
  const double filter_scale = std::max(scale, 1.0);
  const double support = kLanczosSupport * filter_scale;
  const double inverse = 1.0 / filter_scale;
  std::vector<Taps> all(static_cast<std::size_t>(out_size));
  std::vector<double> weights;
  for (int out = 0; out < out_size; ++out) {
    const double center = (out + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(center - support + 0.5));
    const int end = std::min(in_size, static_cast<int>(center + support + 0.5));
    weights.clear();
    double sum = 0.0;
    for (int tap = 0; tap < end - first; ++tap) {
      weights.push_back(lanczos((tap + first - center + 0.5) * inverse));
      sum += weights.back();
    }
    Taps& taps = all[static_cast<std::size_t>(out)];
    taps.first = first;
    for (const double weight : weights) {
      const double fixed = (sum != 0.0 ? weight / sum : weight) * (1 << kPrecisionBits);
      taps.weights.push_back(static_cast<std::int32_t>(fixed < 0 ? fixed - 0.5 : fixed + 0.5));
    }
  }
  return all;
}

std::uint8_t to_byte(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255));
}

constexpr std::int32_t kHalf = 1 << (kPrecisionBits - 1);

std::size_t byte_count(int width, int height) {
  return static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * kChannels;
}

Image resize_rows(const Image& image, int width) {
  const std::vector<Taps> all = lanczos_taps(image.width, width);
  Image out{width, image.height, std::vector<std::uint8_t>(byte_count(width, image.height))};
  std::uint8_t* target = out.rgb.data();
  for (int y = 0; y < image.height; ++y) {
    const std::uint8_t* row = image.rgb.data() + byte_count(image.width, y);
    for (const Taps& taps : all) {
      const std::uint8_t* source = row + byte_count(taps.first, 1);
      std::int32_t red = kHalf, green = kHalf, blue = kHalf;
      for (const std::int32_t weight : taps.weights) {
        red += source[0] * weight;
        green += source[1] * weight;
        blue += source[2] * weight;
        source += kChannels;
      }
      *target++ = to_byte(red);
      *target++ = to_byte(green);
      *target++ = to_byte(blue);
    }
  }
  return out;
}

Image resize_columns(const Image& image, int height) {
  const std::vector<Taps> all = lanczos_taps(image.height, height);
  const std::size_t row_bytes = byte_count(image.width, 1);
  Image out{image.width, height, std::vector<std::uint8_t>(byte_count(image.width, height))};
  std::vector<std::int32_t> sums(row_bytes);
  for (int y = 0; y < height; ++y) {
    const Taps& taps = all[static_cast<std::size_t>(y)];
    std::fill(sums.begin(), sums.end(), kHalf);
    const std::uint8_t* source = image.rgb.data() + byte_count(image.width, taps.first);
    for (const std::int32_t weight : taps.weights) {
      for (std::size_t i = 0; i < row_bytes; ++i) sums[i] += source[i] * weight;
      source += row_bytes;
    }
    std::transform(sums.begin(), sums.end(), out.rgb.begin() + byte_count(image.width, y), to_byte);
  }
  return out;
}

Image cut(const Image& image, int left, int top, int width, int height) {
  Image out{width, height, {}};
  out.rgb.reserve(byte_count(width, height));
  for (int y = 0; y < height; ++y) {
    const auto first = image.rgb.begin() + byte_count(image.width, top + y) + byte_count(left, 1);
    out.rgb.insert(out.rgb.end(), first, first + byte_count(width, 1));
  }
  return out;
}

/// a * b / c, rounded, from 1 to `limit`.
int scaled(int a, int b, int c, int limit) {
  const double value = static_cast<double>(a) * b / c;
  return static_cast<int>(std::clamp(std::floor(value + 0.5), 1.0, static_cast<double>(limit)));
}

Image crop_to_aspect(const Image& image, int width, int height) {
  const int kept_width = scaled(image.height, width, height, image.width);
  const int kept_height = scaled(image.width, height, width, image.height);
  return cut(image, (image.width - kept_width) / 2, (image.height - kept_height) / 2, kept_width,
             kept_height);
}

Image pad_to_size(const Image& image, int width, int height) {
  const Image inner = resize_lanczos(image, scaled(image.width, height, image.height, width),
                                     scaled(image.height, width, image.width, height));
  Image out{width, height, std::vector<std::uint8_t>(byte_count(width, height))};
  const int left = (width - inner.width) / 2;
  const int top = (height - inner.height) / 2;
  for (int y = 0; y < inner.height; ++y) {
    std::copy_n(inner.rgb.begin() + byte_count(inner.width, y), byte_count(inner.width, 1),
                out.rgb.begin() + byte_count(width, top + y) + byte_count(left, 1));
  }
  return out;
}

}  // namespace

Image resize_lanczos(const Image& image, int width, int height) {
  if (width < 1 || height < 1 || image.width < 1 || image.height < 1 ||
      image.rgb.size() != byte_count(image.width, image.height)) {
    throw Error(ErrorKind::internal, "resize_lanczos: an empty picture or size");
  }
  if (height == image.height) return width == image.width ? image : resize_rows(image, width);
  if (width == image.width) return resize_columns(image, height);
  const std::int64_t lost_rows = image.height - height, lost_columns = image.width - width;
  if (lost_rows > 0 && lost_rows > 2 * lost_columns)
    return resize_rows(resize_columns(image, height), width);
  return resize_columns(resize_rows(image, width), height);
}

InputImages fit_image(const Image& image, int width, int height, Fit fit) {
  InputImages images;
  if (fit == Fit::crop) {
    images.region = crop_to_aspect(image, width, height);
    images.fitted = resize_lanczos(images.region, width, height);
  } else {
    images.region = image;
    images.fitted =
        fit == Fit::pad ? pad_to_size(image, width, height) : resize_lanczos(image, width, height);
  }
  return images;
}

}  // namespace svd::media
