#pragma once

#include <ATen/core/Tensor.h>

#include "base/model_config.h"
#include "svd/image.h"

namespace svd::pipeline {

using at::Tensor;

/// 8-bit picture -> [1, 3, H, W] float32 in [-1, 1], contiguous.
Tensor to_pixels(const Image& image);

/// What CLIP sees: the whole picture squeezed to image_size x image_size (Gaussian blur against
/// aliasing, then bicubic with aligned corners, both in [-1, 1]), then normalised. Result
/// [1, 3, image_size, image_size] float32. sgm: encoders/modules.py preprocess; diffusers:
/// pipeline_stable_video_diffusion.py _resize_with_antialiasing.
Tensor clip_pixels(const Image& image, const ClipVisionConfig& config);

/// The random numbers of one request, drawn in this order from torch's CPU Mersenne generator.
struct Noise {
  Tensor augmentation;  ///< [1, 3, H, W]
  Tensor latents;       ///< [1, F, 4, h, w], unit variance
};
Noise draw_noise(std::uint64_t seed, int height, int width, int frames, const ModelConfig& model);

}  // namespace svd::pipeline
