#pragma once

#include <vector>

#include "base/model_config.h"
#include "nn/module.h"

namespace svd::training {

/// Gives an untrained UNet, whose residual branches begin at zero, a clip to begin with that
/// repeats the picture: its output becomes minus the conditioning latents, so that at high noise
/// levels the denoised clip is the picture in every frame. `scaling_factor`: the VAE's, which
/// conditioning latents are without. Leaves everything as it is where the first level has fewer
/// than three channels in a group of its norms, or fewer groups than latents.
///
/// Note: [The picture through a UNet]
/// The first convolution's output is a skip of the last res block, whose 1x1 convolution hands it
/// on to the last norm. That norm would remove the picture's mean and scale, so each latent l has a
/// group of three channels, (s l, -s l, R) with R large, whose mean and deviation are nearly
/// constant; its biases move the first two to where SiLU is undone by silu(x) - silu(-x) = x.
void start_with_the_picture(const std::vector<nn::Parameter>& parameters, const UNetConfig& config,
                            double scaling_factor);

}  // namespace svd::training
