#include "pipeline/denoiser.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <new>
#include <string>

#include "nn/savings.h"
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
    options.dtype = dtype_;
    at::Generator generator = at::detail::createCPUGenerator(3);
    const auto random = [&](at::IntArrayRef shape) { return at::randn(shape, generator); };
    const Conditioning conditioning{
        random({1, 1, checkpoint_.config().unet.cross_attention_dim[0]}), random({1, 4, 8, 16}),
        at::tensor({6.0f, 127.0f, 0.02f}).unsqueeze(0)};
    networks::UNetSpatioTemporalConditionModel unet(checkpoint_.config().unet, {});
    NetworkWeights weights(unet, {checkpoint_, weights::Part::unet, dtype_, at::kCPU}, kept_bytes,
                           [] {});
    const networks::ClipContext context =
        prepare_clip(unet, conditioning, options, weights.for_prepare());
    weights.load();
    const sampling::Denoiser denoiser = as_denoiser(
        guided_step(unet, context, conditioning.image_latents, options, weights.for_forward()),
        options);
    return denoiser(10 * random({1, 3, 4, 8, 16}), options.sigmas.front());
  }

  static double difference(const Tensor& a, const Tensor& b) {
    return ((a - b).abs().max() / b.std()).item<double>();
  }

  ~GuidedDenoiser() override { nn::savings() = {}; }

  c10::InferenceMode no_gradients_;
  at::ScalarType dtype_ = at::kFloat;
  weights::Checkpoint checkpoint_ = weights::Checkpoint::open(kModel);
};

// What a memory plan may choose, with packed weights and without (as on a GPU); the unguided clip
// shows that guidance takes part at all.
TEST_F(GuidedDenoiser, GivesTheSameBitsInEveryPlan) {
  const std::vector<float> scales = {1.0f, 2.0f, 3.0f};
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    for (const bool packed : {true, false}) {
      SCOPED_TRACE(testing::Message() << toString(dtype) << (packed ? ", packed" : ""));
      nn::savings().packed_weights = packed;
      dtype_ = dtype;
      const Tensor batched = denoise(scales, false, NetworkWeights::kKeepAll);
      const Tensor sequential = denoise(scales, true, NetworkWeights::kKeepAll);
      EXPECT_LT(difference(sequential, batched), 1e-5);
      if (packed) {  // other libraries may split a sum by the number of rows
        EXPECT_TRUE(sequential.equal(batched));
      }
      EXPECT_TRUE(denoise(scales, false, NetworkWeights::kStreamAll).equal(batched)) << "streamed";
      EXPECT_TRUE(denoise(scales, false, 1 << 20).equal(batched)) << "some blocks kept";
      EXPECT_GT(difference(denoise({1, 1, 1}, false, NetworkWeights::kKeepAll), batched), 1e-3);
    }
  }
}

TEST_F(GuidedDenoiser, KeepsOneUnitWhateverIsReadAhead) {
  networks::UNetSpatioTemporalConditionModel unet(checkpoint_.config().unet, {});
  const std::vector<nn::Unit> units = unet.units();
  for (const bool ahead : {false, true}) {
    NetworkWeights weights(unet, {checkpoint_, weights::Part::unet, at::kFloat, at::kCPU, ahead},
                           NetworkWeights::kStreamAll, [] {});
    weights.load();
    // Twice around, and then out of order: what was read ahead is thrown away.
    std::vector<const nn::Module*> order;
    for (int round = 0; round < 2; ++round)
      for (const nn::Unit& unit : units)
        if (unit.module->is_streamable() && !unit.prefix.ends_with("_embedding."))
          order.push_back(unit.module);
    order.push_back(order[3]);
    order.push_back(order[1]);
    const nn::BeforeUnit before = weights.for_forward();
    const auto prefix_of = [&](const nn::Module* module) {
      return std::find_if(units.begin(), units.end(),
                          [&](const nn::Unit& unit) { return unit.module == module; })
          ->prefix;
    };
    const auto tensors_in = [](nn::Module& module) {
      std::int64_t count = 0;
      for (const nn::Parameter& parameter : module.parameters())
        count += parameter.use == nn::Use::forward && parameter.tensor->defined();
      return count;
    };
    for (const nn::Module* unit : order) {
      before(*unit);
      for (const nn::Unit& other : units) {
        if (!other.module->is_streamable()) continue;
        const std::string where = fmt::format("{} while {} is used", other.prefix, prefix_of(unit));
        if (other.module != unit) {
          EXPECT_EQ(tensors_in(*other.module), 0) << where;
        } else if (other.prefix.find("resnets") != std::string::npos) {  // keeps its norms
          EXPECT_GT(tensors_in(*other.module), 0) << where;
        }
      }
    }
  }
}

TEST_F(GuidedDenoiser, LoadsSomeUnitsForGoodAsTheirTurnsCome) {
  networks::UNetSpatioTemporalConditionModel unet(checkpoint_.config().unet, {});
  NetworkWeights weights(unet, {checkpoint_, weights::Part::unet, at::kFloat, at::kCPU}, 1 << 20,
                         [] {});
  weights.load_first();
  const nn::BeforeUnit before = weights.for_forward();
  std::vector<nn::Unit> units;
  for (const nn::Unit& unit : unet.units())
    if (unit.prefix.find("resnets") != std::string::npos) units.push_back(unit);
  const auto loaded_units = [&] {
    return std::count_if(units.begin(), units.end(), [](const nn::Unit& unit) {
      const auto parameters = unit.module->parameters();
      return std::any_of(parameters.begin(), parameters.end(), [](const nn::Parameter& one) {
        return one.use == nn::Use::forward && one.tensor->defined();
      });
    });
  };
  EXPECT_EQ(loaded_units(), 0);
  std::int64_t kept = 0;
  for (int round = 0; round < 2; ++round) {
    for (const nn::Unit& one : units) before(*one.module);
    if (round > 0) {
      EXPECT_EQ(loaded_units(), kept);
    }
    kept = loaded_units();
  }
  EXPECT_GT(kept, 2);
  EXPECT_LT(kept, std::int64_t(units.size()) - 2);
  weights.drop();
  EXPECT_EQ(loaded_units(), 0);
}

TEST_F(GuidedDenoiser, LoadsAUnitAgainThatFailedHalfway) {
  networks::UNetSpatioTemporalConditionModel unet(checkpoint_.config().unet, {});
  int left = -1;  // tensors until it fails
  NetworkWeights weights(unet, {checkpoint_, weights::Part::unet, at::kFloat, at::kCPU},
                         NetworkWeights::kStreamAll, [&] {
                           if (left-- == 0) throw std::bad_alloc();
                         });
  weights.load();
  const nn::Module* unit = nullptr;
  for (const nn::Unit& candidate : unet.units())
    if (candidate.prefix == "mid_block.resnets.0.") unit = candidate.module;
  ASSERT_NE(unit, nullptr);
  left = 3;
  EXPECT_THROW(weights.for_forward()(*unit), std::bad_alloc);
  weights.for_forward()(*unit);
  for (const nn::Parameter& parameter : const_cast<nn::Module*>(unit)->parameters()) {
    if (parameter.use == nn::Use::forward && parameter.shape.size() == 1) {
      EXPECT_TRUE(parameter.tensor->defined()) << parameter.name;
    }
  }
}

}  // namespace
}  // namespace svd::pipeline
