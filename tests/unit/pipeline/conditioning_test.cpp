// CLIP's view of a picture and the random numbers, against torch in Python
// (tests/golden/make_goldens.py).

#include "pipeline/conditioning.h"

#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include "weights/safetensors.h"

namespace svd::pipeline {
namespace {

Tensor golden(const char* file, const std::string& name) {
  const auto opened =
      weights::SafetensorsFile::open(std::string(SVD_TEST_DATA) + "/golden/data/" + file);
  return opened->tensor(*opened->find(name));
}

TEST(DrawNoise, equals_torch_in_python) {
  for (const std::uint64_t seed : {0ull, 23ull, 4294967295ull}) {
    const Noise noise = draw_noise(seed, 64, 128, 4, ModelConfig{});
    const std::string prefix = "seed_" + std::to_string(seed);
    for (const auto& [name, tensor] :
         {std::pair("_augmentation", noise.augmentation), std::pair("_latents", noise.latents)}) {
      const Tensor flat = tensor.flatten();
      const Tensor first = golden("noise.safetensors", prefix + name + "_first");
      const Tensor last = golden("noise.safetensors", prefix + name + "_last");
      EXPECT_TRUE(flat.narrow(0, 0, first.numel()).equal(first)) << prefix << name;
      EXPECT_TRUE(flat.narrow(0, flat.numel() - last.numel(), last.numel()).equal(last))
          << prefix << name;
    }
  }
}

TEST(ToPixels, maps_bytes_to_minus_one_and_one) {
  const Image image{2, 1, {0, 255, 51, 255, 0, 204}};
  const Tensor pixels = to_pixels(image);
  ASSERT_EQ(pixels.sizes(), (std::vector<std::int64_t>{1, 3, 1, 2}));
  EXPECT_TRUE(pixels.is_contiguous());
  EXPECT_FLOAT_EQ(pixels[0][0][0][0].item<float>(), -1.0f);
  EXPECT_FLOAT_EQ(pixels[0][1][0][0].item<float>(), 1.0f);
  EXPECT_FLOAT_EQ(pixels[0][2][0][0].item<float>(), -0.6f);
  EXPECT_FLOAT_EQ(pixels[0][2][0][1].item<float>(), 0.6f);
}

TEST(ClipPixels, accept_slivers) {
  const Image sliver{16, 1, std::vector<std::uint8_t>(48, 128)};
  const Tensor pixels = clip_pixels(sliver, ClipVisionConfig{});
  ASSERT_EQ(pixels.sizes(), (std::vector<std::int64_t>{1, 3, 224, 224}));
  EXPECT_TRUE(pixels.isfinite().all().item<bool>());
}

}  // namespace
}  // namespace svd::pipeline
