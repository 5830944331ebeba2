// What the memory model expects, beside what a forward pass really allocates.

#include "pipeline/memory_model.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <c10/core/Allocator.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>

#include "networks/clip/clip_vision_model.h"
#include "networks/unet/unet_spatio_temporal_condition.h"
#include "networks/vae/autoencoder.h"
#include "nn/savings.h"
#include "ops/cpu_features.h"
#include "ops/packed.h"

namespace svd::pipeline {
namespace {

using at::Tensor;

const nn::BeforeUnit kNothing = [](const nn::Module&) {};

/// Follows what tensors allocate on the CPU.
class Recorder : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void*, std::int64_t bytes, std::size_t, std::size_t,
                         c10::Device) override {
    now_ += bytes;
    most_ = std::max(most_, now_);
  }
  bool memoryProfilingEnabled() const override { return true; }
  std::int64_t most() const { return most_; }
  std::int64_t now() const { return now_; }

 private:
  std::int64_t now_ = 0;
  std::int64_t most_ = 0;
};

std::int64_t peak_of(const std::function<void()>& body) {
  const auto recorder = std::make_shared<Recorder>();
  const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, recorder);
  body();
  return recorder->most();
}

void fill(nn::Module& network, at::ScalarType dtype) {
  for (const nn::Parameter& parameter : network.parameters())
    *parameter.tensor = (at::randn(parameter.shape) * 0.02).to(dtype);
}

class MemoryModel : public testing::TestWithParam<at::ScalarType> {
 protected:
  // The model may be generous, but not by much, and never too small.
  static void expect_close(std::int64_t expected, std::int64_t actual) {
    EXPECT_GE(double(expected), 0.99 * double(actual));
    EXPECT_LE(double(expected), 1.2 * double(actual));
  }
  ~MemoryModel() override { nn::part_limits() = {}; }
  c10::InferenceMode no_gradients_;
};

UNetConfig four_levels() {
  UNetConfig config;
  config.block_out_channels = {32, 64, 128, 128};
  config.cross_attention_dim = {32, 32, 32, 32};
  config.num_attention_heads = {1, 2, 4, 4};
  config.addition_time_embed_dim = 16;
  config.projection_class_embeddings_input_dim = 48;
  return config;
}

TEST_P(MemoryModel, KnowsTheUNet) {
  const at::ScalarType dtype = GetParam();
  for (const auto& [height, width] : {std::pair{32, 48}, std::pair{64, 40}}) {
    const UNetConfig config = four_levels();
    networks::UNetSpatioTemporalConditionModel unet(config, {});
    fill(unet, dtype);
    const Tensor embeds = at::randn({2, 1, 32}).to(dtype);
    const auto context = unet.prepare(embeds, at::tensor({6.0, 127.0, 0.02}).unsqueeze(0), 5,
                                      at::tensor({0.5}), kNothing);
    unet.fold();
    const Tensor sample = at::randn({2, 5, 8, height, width}).to(dtype);
    const std::int64_t actual =
        peak_of([&] { unet.forward(sample, context.at(at::full({1}, 0, at::kLong)), kNothing); });
    SCOPED_TRACE(testing::Message() << height << "x" << width);
    expect_close(unet_activations(config, {2, 5, height, width}, dtype, at::kCPU), actual);
  }
}

// What a GPU does: nothing packed, nothing in chunks.
TEST_P(MemoryModel, KnowsTheUNetWithoutPackedWeights) {
  const at::ScalarType dtype = GetParam();
  if (!ops::can_pack(at::kCPU, dtype)) GTEST_SKIP() << "no GPU convolves as this CPU does";
  const bool emulated = dtype == at::kBFloat16 && !ops::has_avx512_bfloat16();
  if (emulated) GTEST_SKIP() << "no GPU takes the memory of emulated products";
  nn::savings().packed_weights = false;
  const UNetConfig config = four_levels();
  networks::UNetSpatioTemporalConditionModel unet(config, {});
  nn::savings() = {};
  fill(unet, dtype);
  const Tensor embeds = at::randn({2, 1, 32}).to(dtype);
  const auto context = unet.prepare(embeds, at::tensor({6.0, 127.0, 0.02}).unsqueeze(0), 5,
                                    at::tensor({0.5}), kNothing);
  unet.fold();
  const Tensor sample = at::randn({2, 5, 8, 32, 48}).to(dtype);
  const std::int64_t actual =
      peak_of([&] { unet.forward(sample, context.at(at::full({1}, 0, at::kLong)), kNothing); });
  const std::int64_t expected = unet_activations(config, {2, 5, 32, 48}, dtype, at::kCUDA);
  EXPECT_GE(double(expected), 0.99 * double(actual));
  EXPECT_LE(double(expected), 1.5 * double(actual));  // CUDA's GEGLU makes less of its hidden layer
}

TEST_P(MemoryModel, KnowsTheDecoder) {
  const at::ScalarType dtype = GetParam();
  VaeConfig config;
  config.block_out_channels = {32, 64, 128, 128};
  for (const bool temporal : {true, false}) {
    config.temporal_decoder = temporal;
    const auto decoder = networks::make_decoder(config);
    fill(*decoder, dtype);
    decoder->fold();
    const Tensor latents = at::randn({5, 4, 32, 48}).to(dtype);
    for (const nn::PartLimits& limits :
         {nn::PartLimits{}, nn::PartLimits{.part_bytes = 12 << 20},
          nn::PartLimits{.part_bytes = 3 << 20},
          nn::PartLimits{.part_bytes = 3 << 20, .recompute = true}}) {
      nn::part_limits() = limits;
      const std::int64_t actual = peak_of([&] { decoder->decode(latents, 5, kNothing); });
      SCOPED_TRACE(testing::Message()
                   << (temporal ? "temporal, " : "frame-wise, ") << "parts of " << limits.part_bytes
                   << (limits.recompute ? ", recomputed" : ""));
      expect_close(vae_decoder_activations(config, {1, 5, 32, 48}, dtype, at::kCPU, limits),
                   actual);
    }
  }
}

TEST_P(MemoryModel, KnowsTheEncoders) {
  const at::ScalarType dtype = GetParam();
  VaeConfig config;
  config.block_out_channels = {32, 64, 128, 128};
  networks::AutoencoderEncoder encoder(config);
  fill(encoder, dtype);
  encoder.fold();
  const Tensor pixels = at::randn({1, 3, 256, 384}).to(dtype);
  expect_close(vae_encoder_activations(config, 32, 48, dtype, at::kCPU),
               peak_of([&] { encoder.encode_mode(pixels, kNothing); }));
}

INSTANTIATE_TEST_SUITE_P(Dtypes, MemoryModel, testing::Values(at::kFloat, at::kBFloat16),
                         [](const auto& dtype) { return std::string(c10::toString(dtype.param)); });

// What is really there once the network is folded, less what `prepare` alone reads.
TEST(WeightBytes, CountsWhatForwardReadsAsItIsFolded) {
  const c10::InferenceMode no_gradients;
  const UNetConfig config = four_levels();
  networks::UNetSpatioTemporalConditionModel unet(config, {});
  const auto recorder = std::make_shared<Recorder>();
  {
    const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, recorder);
    fill(unet, at::kFloat);
    for (const nn::Parameter& parameter : unet.parameters())
      if (parameter.use != nn::Use::forward) parameter.tensor->reset();
    unet.fold();
  }
  const WeightBytes bytes = weight_bytes(unet, at::kFloat);
  EXPECT_NEAR(double(bytes.all), double(recorder->now()), 0.02 * double(recorder->now()));
  EXPECT_GT(bytes.largest_unit, 0);
  EXPECT_LT(bytes.kept + bytes.largest_unit, bytes.all / 2);
}

}  // namespace
}  // namespace svd::pipeline
