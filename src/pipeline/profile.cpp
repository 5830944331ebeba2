#include "pipeline/profile.h"

#include <algorithm>

#include "sampling/schedule.h"

namespace svd::pipeline {

const ProfileValues& profile_values(Profile profile) {
  // Stability-AI/generative-models: sgm/modules, scripts/sampling/simple_video_sample.py.
  static const ProfileValues reference{
      .unet_eps = {1e-5, 1e-5, 1e-5, 1e-5},
      .clip_reads_region = false,
      .round_frames = false,
      .max_one_is_unguided = false,
      .decode_chunk = 14,
      .steps = {},
      .min_guidance = {},
      .max_guidance = {},
  };
  // diffusers: models/unets/unet_3d_blocks.py, pipelines/stable_video_diffusion.
  static const ProfileValues diffusers{
      .unet_eps = {1e-6, 1e-5, 1e-5, 1e-6},
      .clip_reads_region = true,
      .round_frames = true,
      .max_one_is_unguided = true,
      .decode_chunk = {},
      .steps = 25,
      .min_guidance = 1.0,
      .max_guidance = 3.0,
  };
  return profile == Profile::diffusers ? diffusers : reference;
}

bool is_guided(const std::vector<float>& scales) {
  return std::any_of(scales.begin(), scales.end(), [](float scale) { return scale != 1; });
}

std::vector<float> guidance_scales(const Request& request) {
  std::vector<float> scales =
      sampling::linear_guidance(request.min_guidance, request.max_guidance, request.frames);
  if (profile_values(request.profile).max_one_is_unguided && request.max_guidance <= 1)
    std::fill(scales.begin(), scales.end(), 1.0f);
  return scales;
}

}  // namespace svd::pipeline
