#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
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
};

/// What is constant over the clip, for both branches: the unconditional one has a zero embedding
/// and the same time ids.
networks::ClipContext prepare_clip(const networks::UNetSpatioTemporalConditionModel& unet,
                                   const Conditioning& conditioning, const DenoiserOptions& options,
                                   const nn::BeforeUnit& before);

/// One call of the guided, preconditioned model: x [1, F, 4, h, w] float32 and the number of the
/// step, int64 [1], both on the device -> x0. Nothing in it depends on a value that the host would
/// have to know, so that a device can record it once and replay it.
using GuidedStep = std::function<Tensor(const Tensor& x, const Tensor& step)>;

/// image_latents: those of the conditioning; zero for the unconditional branch. The UNet must
/// outlive the result.
GuidedStep guided_step(const networks::UNetSpatioTemporalConditionModel& unet,
                       const networks::ClipContext& context, const Tensor& image_latents,
                       const DenoiserOptions& options, const nn::BeforeUnit& before);

/// The model as a sampler sees it; sigma arguments must be elements of `options.sigmas`.
sampling::Denoiser as_denoiser(const GuidedStep& step, const DenoiserOptions& options);

}  // namespace svd::pipeline
