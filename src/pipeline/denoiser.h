#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "networks/unet/unet_spatio_temporal_condition.h"
#include "sampling/euler.h"

namespace svd::pipeline {

using at::Tensor;

/// What the UNet is conditioned on, for one clip.
struct Conditioning {
  Tensor image_embeds;    ///< [1, 1, cross_attention_dim] float32
  Tensor image_latents;   ///< [1, 4, h, w] float32, not scaled
  Tensor added_time_ids;  ///< [1, 3] float32: fps, motion bucket, noise augmentation
};

struct DenoiserOptions {
  std::vector<double> sigmas;   ///< of the schedule, with the last 0
  std::vector<float> guidance;  ///< one scale a frame; all ones need no second branch
  /// The unconditional and the conditional branch one after the other instead of as one batch: the
  /// same pixels in less memory.
  bool sequential = false;
  at::ScalarType dtype = at::kFloat;  ///< of the UNet
  c10::Device device = at::kCPU;

  bool is_guided() const;
};

/// What is constant over the clip, for both branches: the unconditional one has a zero embedding
/// and the same time ids.
networks::ClipContext prepare_clip(const networks::UNetSpatioTemporalConditionModel& unet,
                                   const Conditioning& conditioning, const DenoiserOptions& options,
                                   const nn::BeforeUnit& before);

/// The guided, preconditioned model as a sampler sees it: x [1, F, 4, h, w] float32 -> x0.
/// image_latents: those of the conditioning; zero for the unconditional branch. The UNet must
/// outlive the result; sigma arguments must be elements of `options.sigmas`.
sampling::Denoiser guided_denoiser(const networks::UNetSpatioTemporalConditionModel& unet,
                                   const networks::ClipContext& context,
                                   const Tensor& image_latents, const DenoiserOptions& options,
                                   const nn::BeforeUnit& before);

}  // namespace svd::pipeline
