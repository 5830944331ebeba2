#pragma once

#include <c10/core/Device.h>

#include <cstdint>

#include "base/model_config.h"
#include "nn/module.h"
#include "nn/parts.h"

/// What networks need, computed from their configurations without loading anything. Activations are
/// the tensors that exist at once at the fullest moment of a forward pass, as the code in nn/ and
/// networks/ makes and drops them; a test compares them with what is really allocated.
namespace svd::pipeline {

struct WeightBytes {
  std::int64_t all = 0;           ///< what `forward` reads
  std::int64_t kept = 0;          ///< of it, what stays when the network is streamed
  std::int64_t largest_unit = 0;  ///< of the declared units
  std::int64_t loading = 0;       ///< copies of the largest tensor while it is converted and packed
};
WeightBytes weight_bytes(nn::Module& network, at::ScalarType dtype);

/// Clips of latents.
struct LatentShape {
  std::int64_t clips, frames, height, width;
};

std::int64_t unet_activations(const UNetConfig& config, const LatentShape& shape,
                              at::ScalarType dtype, const c10::Device& device);
std::int64_t image_encoder_activations(const ClipVisionConfig& config, at::ScalarType dtype);

/// Of one picture; height and width of the latents.
std::int64_t vae_encoder_activations(const VaeConfig& config, std::int64_t height,
                                     std::int64_t width, at::ScalarType dtype,
                                     const c10::Device& device);

/// `shape.frames` are decoded at once, in parts as `limits` say; on a GPU only what treats every
/// picture by itself has parts.
std::int64_t vae_decoder_activations(const VaeConfig& config, const LatentShape& shape,
                                     at::ScalarType dtype, const c10::Device& device,
                                     const nn::PartLimits& limits);

}  // namespace svd::pipeline
