// Folded networks compute the same function as the published form: in float64, with all savings and
// with each of them off.

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <ATen/record_function.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "networks/unet/unet_spatio_temporal_condition.h"
#include "networks/vae/autoencoder.h"
#include "nn/parts.h"
#include "nn/savings.h"
#include "unit/networks/small_unet.h"

namespace svd::networks {
namespace {

const nn::BeforeUnit kNothing = [](const nn::Module&) {};

UNetConfig unet_config() {
  UNetConfig config = test::small_unet();
  config.layers_per_block = {1, 2};
  config.transformer_layers_per_block = {2, 1};
  return config;
}

class Folding : public testing::Test {
 protected:
  ~Folding() override {
    nn::savings() = {};
    nn::part_limits() = {};
  }

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
      if (parameter.use == nn::Use::never) parameter.tensor->reset();
    }
  }

  // Clips of one picture after another; all with one row of time ids.
  struct Input {
    std::int64_t clips = 2, frames = 3, height = 4, width = 6;
  };
  Tensor run_unet(bool fold, const Input& in) {
    UNetSpatioTemporalConditionModel unet(unet_config(), {});
    fill(unet);
    if (fold) unet.fold();
    generator_ = at::detail::createCPUGenerator(6);
    const Tensor embeds = random({in.clips, 1, 16});
    const Tensor sample = random({in.clips, in.frames, 8, in.height, in.width});
    const Tensor ids = at::tensor({6.0, 127.0, 0.02}, at::kDouble).unsqueeze(0);
    const ClipContext context =
        unet.prepare(embeds, ids, in.frames, at::tensor({0.7, 0.1}, at::kDouble), kNothing);
    return unet.forward(sample, context.at(at::full({1}, 1, at::kLong)), kNothing);
  }
  Tensor run_unet(bool fold) { return run_unet(fold, {}); }

  Tensor run_decoder(bool fold) {
    VaeConfig config;
    config.block_out_channels = {32, 64};
    const std::unique_ptr<VideoDecoder> decoder = make_decoder(config);
    fill(*decoder);
    if (fold) decoder->fold();
    generator_ = at::detail::createCPUGenerator(6);
    return decoder->decode(random({5, config.latent_channels, 4, 6}), 5, kNothing);
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

// In float32 and bfloat16 the CPU library's packed weights, fused epilogues and chunks take part as
// well: with and without guidance, a lone frame, a single pixel on the lowest level, and chunks
// that are pieces of a frame.
TEST_F(Folding, agrees_in_the_types_that_are_packed) {
  for (const std::int64_t tokens : {2048, 5}) {
    nn::part_limits().chunk_tokens = tokens;
    for (const Input& in : {Input{}, Input{1, 3, 4, 6}, Input{2, 1, 4, 6}, Input{2, 3, 2, 2}}) {
      SCOPED_TRACE(testing::Message() << in.clips << " clips of " << in.frames << ", " << in.height
                                      << "x" << in.width << ", chunks of " << tokens);
      type_ = at::kFloat;
      const Tensor exact = run_unet(false, in);
      EXPECT_LT(distance(run_unet(true, in), exact), 1e-5);
      type_ = at::kBFloat16;
      const double published = distance(run_unet(false, in), exact);
      EXPECT_LT(distance(run_unet(true, in), exact), 1.1 * published);
    }
  }
  type_ = at::kFloat;
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

// Calls of convolutions while a clip of `frames` is decoded, and the pixels.
std::pair<int, Tensor> decode_counted(const VideoDecoder& decoder, const Tensor& latents) {
  static int convolutions;
  convolutions = 0;
  const auto handle = at::addThreadLocalCallback(at::RecordFunctionCallback(
      [](const at::RecordFunction& function) -> std::unique_ptr<at::ObserverContext> {
        const std::string_view name = function.name();
        convolutions += name == "mkldnn::_convolution_pointwise" || name == "aten::convolution";
        return nullptr;
      }));
  const Tensor pixels = decoder.decode(latents, latents.size(0), kNothing);
  at::removeCallback(handle);
  return {convolutions, pixels};
}

TEST_F(Folding, decodes_in_parts_to_the_same_values) {
  VaeConfig config;
  config.block_out_channels = {32, 64};
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    type_ = type;
    const std::unique_ptr<VideoDecoder> decoder = make_decoder(config);
    fill(*decoder);
    decoder->fold();
    for (const std::int64_t frames : {5, 1}) {  // a lone picture has parts only in temporal blocks
      SCOPED_TRACE(testing::Message() << toString(type) << ", " << frames << " frames");
      const Tensor latents = random({frames, config.latent_channels, 36, 28});  // see nn/parts.h
      nn::part_limits() = {.part_bytes = 1 << 30, .least_bytes = 32 << 10};
      const auto [whole_calls, whole] = decode_counted(*decoder, latents);
      nn::part_limits().part_bytes = frames * (96 << 10);
      const auto [part_calls, in_parts] = decode_counted(*decoder, latents);
      nn::part_limits().recompute = true;
      const auto [most_calls, recomputed] = decode_counted(*decoder, latents);
      EXPECT_GT(whole_calls, 0);
      EXPECT_GT(part_calls, whole_calls);
      EXPECT_GT(most_calls, part_calls);
      EXPECT_TRUE(in_parts.equal(whole));
      EXPECT_TRUE(recomputed.equal(whole));
    }
  }
}

TEST_F(Folding, releases_what_it_made) {
  UNetSpatioTemporalConditionModel unet(unet_config(), {});
  fill(unet);
  unet.fold();
  unet.release();
  for (const nn::Parameter& parameter : unet.parameters())
    EXPECT_FALSE(parameter.tensor->defined()) << parameter.name;
}

}  // namespace
}  // namespace svd::networks
