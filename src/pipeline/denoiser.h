#pragma once

#include <ATen/core/Tensor.h>

#include <span>

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

/// The guided, preconditioned model as a sampler sees it: x [1, F, 4, h, w] float32 -> x0. The
/// unconditional branch has zero embedding and zero image latents and the same time ids; both
/// branches run as one batch. `guidance` has one scale a frame; all ones need no second branch.
/// The UNet and `sigmas` must outlive the result; sigma arguments must be elements of `sigmas`.
sampling::Denoiser guided_denoiser(const networks::UNetSpatioTemporalConditionModel& unet,
                                   const Conditioning& conditioning, std::span<const double> sigmas,
                                   const std::vector<float>& guidance, at::ScalarType dtype,
                                   const c10::Device& device,
                                   const networks::BetweenBlocks& between);

}  // namespace svd::pipeline
