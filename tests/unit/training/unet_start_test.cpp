// The UNet's start: its output is minus the picture's latents.

#include "training/unet_start.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "networks/unet/unet_spatio_temporal_condition.h"
#include "training/weights_in.h"

namespace svd::training {
namespace {

using at::Tensor;
const nn::BeforeUnit kNothing = [](const nn::Module&) {};

UNetConfig config_with(int channels) {
  UNetConfig config;
  config.in_channels = 24;
  config.out_channels = 12;
  config.down_block_types = {"DownBlockSpatioTemporal", "CrossAttnDownBlockSpatioTemporal"};
  config.up_block_types = {"CrossAttnUpBlockSpatioTemporal", "UpBlockSpatioTemporal"};
  config.block_out_channels = {channels, 64};
  config.addition_time_embed_dim = 32;
  config.projection_class_embeddings_input_dim = 96;
  config.layers_per_block = {1, 1};
  config.cross_attention_dim = {32, 32};
  config.transformer_layers_per_block = {1, 1};
  config.num_attention_heads = {2, 2};
  return config;
}

/// Of a fresh UNet, [F, 12, h, w], for pictures [12, h, w] without the scaling factor.
Tensor output_of(const UNetConfig& config, const Tensor& picture, double scaling_factor,
                 const at::Generator& generator) {
  const at::NoGradGuard no_gradients;
  constexpr std::int64_t kFrames = 3;
  networks::UNetSpatioTemporalConditionModel unet(config, {});
  initialise(unet.parameters(), begins_at_zero_in_unet, generator);
  start_with_the_picture(unet.parameters(), config, scaling_factor);
  const Tensor pictures = picture.expand({1, kFrames, -1, -1, -1});
  const Tensor noise = at::randn(pictures.sizes(), generator);
  const networks::ClipContext context =
      unet.prepare(at::randn({1, 1, 32}, generator), at::tensor({6.0F, 127.0F, 0.02F}).view({1, 3}),
                   kFrames, at::tensor({1.0F}).view({1, 1}), kNothing);
  return unet
      .forward(at::cat({noise, pictures}, 2), context.at(at::tensor({0}, at::kLong)), kNothing)
      .squeeze(0);
}

TEST(UNetStart, every_frame_is_the_picture) {
  const at::Generator generator = at::detail::createCPUGenerator(1);
  constexpr double kScaling = 0.25;
  for (const int channels : {96, 160}) {
    // With means that differ, which a norm without the start's groups would take away.
    const Tensor picture =
        (at::randn({12, 16, 16}, generator) * 0.7 + at::randn({12, 1, 1}, generator)) / kScaling;
    const Tensor output = output_of(config_with(channels), picture, kScaling, generator);
    const Tensor wanted = picture * -kScaling;
    const double error = (output - wanted).square().mean().item<double>();
    EXPECT_LT(error, 0.003 * wanted.square().mean().item<double>()) << channels << " channels";
  }
}

TEST(UNetStart, without_room_nothing_changes) {
  const at::Generator generator = at::detail::createCPUGenerator(1);
  const Tensor output =
      output_of(config_with(64), at::randn({12, 16, 16}, generator), 0.25, generator);
  EXPECT_EQ(output.abs().max().item<double>(), 0);  // as Stability's classes begin
}

}  // namespace
}  // namespace svd::training
