#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "base/model_config.h"
#include "nn/module.h"

namespace svd::training {

/// Gives an untrained encoder, whose residual branches begin at zero, a linear transform to begin
/// with: the mode of its latents becomes the first principal components of the blocks of pixels
/// that a latent cell covers. pixels: [N, 3, H, W] in [-1, 1], to take the components from, with
/// sides that are multiples of the VAE's factor.
/// Leaves everything as it is where the levels have too few channels to carry a block's pixels.
///
/// Note: [Principal components through an encoder]
/// Every downsampling convolution but the last sorts the pixels of 2x2 squares into channels, the
/// last takes the products with the components. The norm before the last convolution would remove
/// a component's mean and scale. So each has a group of four channels, (s, -s, R, -R) with R large:
/// their mean is 0 and their deviation nearly constant. SiLU then is undone by
/// silu(x) - silu(-x) = x.
void start_with_principal_components(const std::vector<nn::Parameter>& parameters,
                                     const VaeConfig& config, const at::Tensor& pixels);

}  // namespace svd::training
