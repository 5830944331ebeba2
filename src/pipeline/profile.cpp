#include "pipeline/profile.h"

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

}  // namespace svd::pipeline
