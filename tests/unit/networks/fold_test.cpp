// Folded networks compute the same function as the published form: in float64, with all savings and
// with each of them off.

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>

#include "networks/unet/unet_spatio_temporal_condition.h"
#include "networks/vae/autoencoder.h"
#include "nn/parts.h"
#include "nn/savings.h"

namespace svd::networks {
namespace {

UNetConfig small_unet() {
  UNetConfig config;
  config.block_out_channels = {32, 64};
  config.down_block_types = {"CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"};
  config.up_block_types = {"UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"};
  config.layers_per_block = {1, 2};
  config.cross_attention_dim = {16, 16};
  config.transformer_layers_per_block = {2, 1};
  config.num_attention_heads = {2, 2};
  config.addition_time_embed_dim = 16;
  config.projection_class_embeddings_input_dim = 48;
  return config;
}

class Folding : public testing::Test {
 protected:
  ~Folding() override { nn::savings() = {}; }

  Tensor random(at::IntArrayRef shape) {
    return at::randn(shape, generator_, at::kDouble).to(type_);
  }

  // The same numbers at every call.
  void fill(nn::Module& network) {
    generator_ = at::detail::createCPUGenerator(5);
    for (const nn::Parameter& parameter : network.parameters()) {
      double fan_in = 4;
      if (parameter.shape.size() > 1) {
        fan_in = 1;
        for (std::size_t i = 1; i < parameter.shape.size(); ++i)
          fan_in *= double(parameter.shape[i]);
      }
      *parameter.tensor = random(parameter.shape) / std::sqrt(fan_in);
      if (parameter.unread) parameter.tensor->reset();
    }
  }

  // Guided: two clips with one row of time ids.
  Tensor run_unet(bool fold) {
    UNetSpatioTemporalConditionModel unet(small_unet(), {});
    fill(unet);
    if (fold) unet.fold();
    generator_ = at::detail::createCPUGenerator(6);
    const Tensor embeds = random({2, 1, 16}), sample = random({2, 3, 8, 4, 6});
    const Tensor ids = at::tensor({6.0, 127.0, 0.02}, at::kDouble).unsqueeze(0);
    const ClipContext context = unet.prepare(embeds, ids, 3, at::tensor({0.7, 0.1}, at::kDouble));
    return unet.forward(sample, 1, context, [] {});
  }

  Tensor run_decoder(bool fold) {
    VaeConfig config;
    config.block_out_channels = {32, 64};
    const std::unique_ptr<VideoDecoder> decoder = make_decoder(config);
    fill(*decoder);
    if (fold) decoder->fold();
    generator_ = at::detail::createCPUGenerator(6);
    return decoder->decode(random({5, config.latent_channels, 4, 6}), 5, [] {});
  }

  static double distance(const Tensor& a, const Tensor& b) {
    return ((a - b).to(at::kDouble).norm() / b.to(at::kDouble).norm()).item<double>();
  }

  c10::NoGradGuard no_grad_;
  at::ScalarType type_ = at::kDouble;
  at::Generator generator_ = at::detail::createCPUGenerator(5);
};

TEST_F(Folding, leaves_the_unet_the_same_function) {
  EXPECT_LT(distance(run_unet(true), run_unet(false)), 1e-12);
}

TEST_F(Folding, leaves_the_decoder_the_same_function) {
  EXPECT_LT(distance(run_decoder(true), run_decoder(false)), 1e-12);
}

// In float32 the CPU library's packed weights, fused epilogues and chunks take part as well.
TEST_F(Folding, agrees_in_float32) {
  type_ = at::kFloat;
  EXPECT_LT(distance(run_unet(true), run_unet(false)), 1e-5);
  EXPECT_LT(distance(run_decoder(true), run_decoder(false)), 1e-5);
}

TEST_F(Folding, can_leave_out_each_saving) {
  const Tensor unet = run_unet(true), decoder = run_decoder(true);
  type_ = at::kFloat;
  const Tensor unet_32 = run_unet(true);
  for (const std::string_view name : nn::saving_names()) {
    SCOPED_TRACE(std::string(name));
    nn::savings() = {};
    *nn::find_saving(name) = false;
    type_ = at::kDouble;
    EXPECT_LT(distance(run_unet(true), unet), 1e-12);
    EXPECT_LT(distance(run_decoder(true), decoder), 1e-12);
    type_ = at::kFloat;
    EXPECT_LT(distance(run_unet(true), unet_32), 1e-5);
  }
}

// Only without gradients do tensors go in parts (nn/parts.h).
TEST_F(Folding, decodes_in_parts_to_the_same_values) {
  type_ = at::kFloat;
  VaeConfig config;
  config.block_out_channels = {32, 64};
  const std::unique_ptr<VideoDecoder> decoder = make_decoder(config);
  fill(*decoder);
  decoder->fold();
  const Tensor latents = random({5, config.latent_channels, 9, 7});
  nn::part_limits() = {1 << 10, 30 << 10};  // a few positions, or one picture
  const Tensor in_parts = decoder->decode(latents, 5, [] {});
  nn::part_limits() = {};
  const Tensor in_one_piece = decoder->decode(latents, 5, [] {});
  EXPECT_LT(distance(in_parts, in_one_piece), 1e-6);
}

TEST_F(Folding, releases_what_it_made) {
  UNetSpatioTemporalConditionModel unet(small_unet(), {});
  fill(unet);
  unet.fold();
  unet.release();
  for (const nn::Parameter& parameter : unet.parameters())
    EXPECT_FALSE(parameter.tensor->defined()) << parameter.name;
}

}  // namespace
}  // namespace svd::networks
