// The encoder's linear start: its latents are the principal components of 8x8 blocks.

#include "training/vae_start.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/linalg_lstsq.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include "networks/vae/autoencoder.h"
#include "training/weights_in.h"

namespace svd::training {
namespace {

using at::Tensor;

TEST(VaeStart, latents_are_the_blocks_principal_components) {
  VaeConfig config;
  config.block_out_channels = {32, 64, 96, 128};
  config.layers_per_block = 1;
  config.latent_channels = 12;
  networks::AutoencoderEncoder encoder(config);
  const at::Generator generator = at::detail::createCPUGenerator(1);
  const auto zero = [](const std::string& name) {
    return name.ends_with("conv2.weight") || name.ends_with("to_out.0.weight");
  };
  initialise(encoder.parameters(), zero, generator);
  // Smooth pictures: noise of three scales.
  Tensor pixels = at::randn({4, 3, 64, 64}, generator) * 0.05;
  for (const std::int64_t cell : {8, 32})
    pixels = pixels + at::randn({4, 3, 64 / cell, 64 / cell}, generator)
                              .repeat_interleave(cell, 2)
                              .repeat_interleave(cell, 3) *
                          0.3;
  start_with_principal_components(encoder.parameters(), config, pixels);
  const Tensor latents =  // [n, 12]
      encoder.encode_mode(pixels, [](const nn::Module&) {})
          .permute({0, 2, 3, 1})
          .reshape({-1, 12})
          .to(at::kDouble);

  // Uncorrelated, with falling variances ...
  const Tensor covariance = latents.t().matmul(latents) / double(latents.size(0));
  const Tensor variances = covariance.diagonal();
  EXPECT_LT((covariance - variances.diag()).abs().max().item<double>(),
            0.01 * variances.max().item<double>());
  for (std::int64_t k = 1; k < 12; ++k)
    EXPECT_LE(variances[k].item<double>(), 1.02 * variances[k - 1].item<double>());
  // ... and no other 12 linear numbers a block tell more of it: what they leave is the rest of the
  // spectrum.
  const Tensor blocks = pixels.reshape({4, 3, 8, 8, 8, 8})
                            .permute({0, 2, 4, 1, 3, 5})
                            .reshape({-1, 192})
                            .to(at::kDouble);
  const Tensor centred = blocks - blocks.mean(0);
  const Tensor fitted = latents.matmul(std::get<0>(at::linalg_lstsq(latents, centred)));
  const Tensor spectrum = std::get<0>(at::linalg_eigh(centred.t().matmul(centred)));  // ascending
  EXPECT_NEAR((centred - fitted).square().sum().item<double>(),
              spectrum.narrow(0, 0, 180).sum().item<double>(),
              0.01 * spectrum.narrow(0, 0, 180).sum().item<double>());
}

}  // namespace
}  // namespace svd::training
