#include "pipeline/conditioning.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/pad.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/upsample_bicubic2d.h>

#include <algorithm>
#include <cmath>

namespace svd::pipeline {
namespace {

// Standard deviation and size of the blur for shrinking `from` pixels to `to`.
struct Blur {
  double sigma;
  std::int64_t size;

  Blur(std::int64_t from, std::int64_t to)
      : sigma(std::max((double(from) / double(to) - 1) / 2, 0.001)),
        size(static_cast<std::int64_t>(std::max(4 * sigma, 3.0)) | 1) {}

  Tensor kernel() const {
    const std::int64_t centre = size / 2;
    const Tensor x = at::arange(size, at::kFloat) - centre;
    const Tensor gauss = (-x.square() / (2 * sigma * sigma)).exp();
    return gauss / gauss.sum();
  }
};

// Blurs along dimension `dim` (2 or 3). planes: [3, 1, H, W].
Tensor blur_along(const Tensor& planes, int dim, const Blur& blur) {
  const std::int64_t half = blur.size / 2;
  const bool rows = dim == 2;
  // Reflection needs more pixels than it adds; slivers of an image get their edge repeated instead.
  const char* mode = half < planes.size(dim) ? "reflect" : "replicate";
  const Tensor padded =
      rows ? at::pad(planes, {0, 0, half, half}, mode) : at::pad(planes, {half, half, 0, 0}, mode);
  const Tensor kernel = blur.kernel();
  return at::conv2d(padded, rows ? kernel.view({1, 1, -1, 1}) : kernel.view({1, 1, 1, -1}));
}

}  // namespace

Tensor to_pixels(const Image& image) {
  auto* data = const_cast<std::uint8_t*>(image.rgb.data());
  const Tensor bytes = at::from_blob(data, {1, image.height, image.width, 3}, at::kByte);
  Tensor pixels = at::empty({1, 3, image.height, image.width}, at::kFloat);
  pixels.copy_(bytes.permute({0, 3, 1, 2}));
  return pixels.div_(255).mul_(2).sub_(1);  // in place: pictures may have 100 megapixels
}

Tensor clip_pixels(const Image& image, const ClipVisionConfig& config) {
  const std::int64_t side = config.image_size;
  Tensor planes = to_pixels(image).transpose(0, 1);  // [3, 1, H, W]
  planes = blur_along(planes, 3, Blur(image.width, side));
  planes = blur_along(planes, 2, Blur(image.height, side));
  const Tensor small = at::upsample_bicubic2d(planes.transpose(0, 1), {side, side}, true);
  const Tensor mean = at::tensor(config.image_mean, at::kDouble).to(at::kFloat).view({1, 3, 1, 1});
  const Tensor std = at::tensor(config.image_std, at::kDouble).to(at::kFloat).view({1, 3, 1, 1});
  return ((small + 1) / 2 - mean) / std;
}

Noise draw_noise(std::uint64_t seed, int height, int width, int frames, const ModelConfig& model) {
  const std::int64_t factor = model.vae.factor();
  const at::Generator generator = at::detail::createCPUGenerator(seed);
  Noise noise;
  noise.augmentation = at::randn({1, 3, height, width}, generator, at::kFloat);
  noise.latents = at::randn({1, frames, model.vae.latent_channels, height / factor, width / factor},
                            generator, at::kFloat);
  return noise;
}

}  // namespace svd::pipeline
