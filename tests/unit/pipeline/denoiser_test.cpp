#include "pipeline/denoiser.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <string>

#include "pipeline/networks.h"
#include "sampling/schedule.h"

namespace svd::pipeline {
namespace {

const char* const kModel = SVD_TEST_DATA "/golden/model";

class GuidedDenoiser : public testing::Test {
 protected:
  // x0 of the golden model for one noisy clip of three frames.
  Tensor denoise(std::vector<float> guidance, bool sequential, std::int64_t kept_bytes) {
    DenoiserOptions options;
    options.sigmas = sampling::karras_sigmas(2, 0.002, 700, 7);
    options.guidance = std::move(guidance);
    options.sequential = sequential;
    at::Generator generator = at::detail::createCPUGenerator(3);
    const auto random = [&](at::IntArrayRef shape) { return at::randn(shape, generator); };
    const Conditioning conditioning{
        random({1, 1, checkpoint_.config().unet.cross_attention_dim[0]}), random({1, 4, 8, 16}),
        at::tensor({6.0f, 127.0f, 0.02f}).unsqueeze(0)};
    networks::UNetSpatioTemporalConditionModel unet(checkpoint_.config().unet, {});
    NetworkWeights weights(unet, {checkpoint_, weights::Part::unet, at::kFloat, at::kCPU},
                           kept_bytes, [] {});
    const networks::ClipContext context =
        prepare_clip(unet, conditioning, options, weights.for_prepare());
    weights.load();
    const sampling::Denoiser denoiser =
        as_denoiser(guided_step(unet, context, conditioning.image_latents, options,
                                weights.for_forward()),
                    options);
    return denoiser(10 * random({1, 3, 4, 8, 16}), options.sigmas.front());
  }

  static double difference(const Tensor& a, const Tensor& b) {
    return ((a - b).abs().max() / b.std()).item<double>();
  }

  c10::InferenceMode no_gradients_;
  weights::Checkpoint checkpoint_ = weights::Checkpoint::open(kModel);
};

// What a memory plan may choose; the unguided clip shows that guidance takes part at all.
TEST_F(GuidedDenoiser, GivesTheSameInEveryPlan) {
  const std::vector<float> scales = {1.0f, 2.0f, 3.0f};
  const Tensor batched = denoise(scales, false, NetworkWeights::kKeepAll);
  EXPECT_LT(difference(denoise(scales, true, NetworkWeights::kKeepAll), batched), 1e-5);
  EXPECT_TRUE(denoise(scales, false, NetworkWeights::kStreamAll).equal(batched));
  EXPECT_TRUE(denoise(scales, false, 1 << 20).equal(batched)) << "some blocks kept";
  EXPECT_LT(difference(denoise(scales, true, NetworkWeights::kStreamAll), batched), 1e-5);
  EXPECT_GT(difference(denoise({1, 1, 1}, false, NetworkWeights::kKeepAll), batched), 1e-3);
}

}  // namespace
}  // namespace svd::pipeline
