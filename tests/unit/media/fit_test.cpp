#include "media/fit.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "svd/error.h"

namespace svd::media {
namespace {

/// The picture of tests/golden/make_lanczos.py: noise and hard edges between 0 and 255.
Image noise(int width, int height, std::uint64_t seed) {
  Image image{width, height, {}};
  std::uint64_t state = seed;
  for (int i = 0; i < width * height * 3; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const auto value = static_cast<std::uint8_t>(state >> 56);
    const std::uint8_t edge = value % 2 != 0 ? 255 : 0;
    image.rgb.push_back((state >> 55 & 1) != 0 ? edge : value);
  }
  return image;
}

std::uint32_t crc32(const std::vector<std::uint8_t>& bytes) {
  std::uint32_t crc = 0xffffffff;
  for (const std::uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xedb88320 : 0);
  }
  return ~crc;
}

/// A picture whose pixel at (x, y) is (x, y, 7).
Image coordinates(int width, int height) {
  Image image{width, height, {}};
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      image.rgb.insert(image.rgb.end(),
                       {static_cast<std::uint8_t>(x), static_cast<std::uint8_t>(y), 7});
  return image;
}

std::vector<int> pixel(const Image& image, int x, int y) {
  const auto at = image.rgb.begin() + (y * image.width + x) * 3;
  return {at, at + 3};
}

TEST(ResizeLanczos, EqualsPillowBitForBit) {
  std::ifstream golden(std::string(SVD_TEST_DATA) + "/golden/lanczos.txt");
  std::string line;
  int cases = 0;
  while (std::getline(golden, line)) {
    if (line.starts_with('#')) continue;
    std::istringstream fields(line);
    std::uint64_t width = 0, height = 0, to_width = 0, to_height = 0;
    std::uint32_t crc = 0;
    fields >> width >> height >> to_width >> to_height >> std::hex >> crc;
    const std::uint64_t seed = ((width * 4096 + height) * 4096 + to_width) * 4096 + to_height;
    const Image resized =
        resize_lanczos(noise(static_cast<int>(width), static_cast<int>(height), seed),
                       static_cast<int>(to_width), static_cast<int>(to_height));
    EXPECT_EQ(resized.rgb.size(), to_width * to_height * 3);
    EXPECT_EQ(crc32(resized.rgb), crc) << line;
    ++cases;
  }
  EXPECT_GT(cases, 30);
}

TEST(ResizeLanczos, RefusesEmptySizes) {
  const Image image = coordinates(4, 4);
  EXPECT_THROW(resize_lanczos(image, 0, 4), Error);
  EXPECT_THROW(resize_lanczos(image, 4, -1), Error);
  EXPECT_THROW(resize_lanczos(Image{}, 4, 4), Error);
}

TEST(FitImage, CropKeepsTheCentredPartOfTheAspect) {
  const InputImages wide = fit_image(coordinates(200, 50), 64, 32, Fit::crop);
  EXPECT_EQ(wide.region.width, 100);
  EXPECT_EQ(wide.region.height, 50);
  EXPECT_EQ(pixel(wide.region, 0, 0), (std::vector{50, 0, 7}));
  EXPECT_EQ(pixel(wide.region, 99, 49), (std::vector{149, 49, 7}));
  EXPECT_EQ(wide.fitted.rgb, resize_lanczos(wide.region, 64, 32).rgb);

  const InputImages tall = fit_image(coordinates(50, 200), 64, 32, Fit::crop);
  EXPECT_EQ(tall.region.width, 50);
  EXPECT_EQ(tall.region.height, 25);
  EXPECT_EQ(pixel(tall.region, 0, 0), (std::vector{0, 87, 7}));

  const InputImages same = fit_image(coordinates(100, 50), 64, 32, Fit::crop);
  EXPECT_EQ(same.region.rgb, coordinates(100, 50).rgb);
}

TEST(FitImage, CropOfASliverKeepsOnePixel) {
  const InputImages images = fit_image(coordinates(250, 1), 64, 128, Fit::crop);
  EXPECT_EQ(images.region.width, 1);
  EXPECT_EQ(images.region.height, 1);
  EXPECT_EQ(pixel(images.fitted, 63, 127), (std::vector{124, 0, 7}));
}

TEST(FitImage, PadKeepsEverythingBetweenBlackBars) {
  const Image image = coordinates(40, 80);
  const InputImages images = fit_image(image, 64, 64, Fit::pad);
  EXPECT_EQ(images.region.rgb, image.rgb);
  EXPECT_EQ(images.fitted.width, 64);
  EXPECT_EQ(images.fitted.height, 64);
  const Image inner = resize_lanczos(image, 32, 64);
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 64; ++x) {
      const bool bar = x < 16 || x >= 48;
      ASSERT_EQ(pixel(images.fitted, x, y), bar ? std::vector({0, 0, 0}) : pixel(inner, x - 16, y));
    }
  }
}

TEST(FitImage, PadOfASliverKeepsOneRow) {
  const InputImages images = fit_image(coordinates(250, 1), 64, 64, Fit::pad);
  EXPECT_EQ(pixel(images.fitted, 32, 31)[2], 7);
  EXPECT_EQ(pixel(images.fitted, 32, 32)[2], 0);
}

TEST(FitImage, StretchIgnoresTheAspect) {
  const Image image = coordinates(77, 33);
  const InputImages images = fit_image(image, 64, 128, Fit::stretch);
  EXPECT_EQ(images.region.rgb, image.rgb);
  EXPECT_EQ(images.fitted.rgb, resize_lanczos(image, 64, 128).rgb);
}

}  // namespace
}  // namespace svd::media
