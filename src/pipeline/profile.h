#pragma once

#include <optional>

#include "networks/unet/unet_spatio_temporal_condition.h"
#include "svd/request.h"

namespace svd::pipeline {

/// Where a published implementation differs from the other, as values. See docs/reproducibility.md.
struct ProfileValues {
  networks::UNetNormEps unet_eps;
  bool clip_reads_region;    ///< CLIP sees the unresized image instead of the fitted one
  bool round_frames;         ///< 8-bit frames are rounded instead of cut
  bool max_one_is_unguided;  ///< max_guidance <= 1 turns guidance off, whatever min_guidance is
  std::optional<int> decode_chunk;  ///< unset: all frames at once
  std::optional<int> steps;         ///< unset: the model decides
  std::optional<double> min_guidance;
  std::optional<double> max_guidance;
};

const ProfileValues& profile_values(Profile profile);

/// The guidance scale of every frame; all ones: no guidance.
std::vector<float> guidance_scales(const Request& request);
bool is_guided(const std::vector<float>& scales);

}  // namespace svd::pipeline
