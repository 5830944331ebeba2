// The networks on the goldens' small model, against diffusers and Stability's own classes
// (tests/golden/make_goldens.py).

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "networks/clip/clip_vision_model.h"
#include "networks/unet/unet_spatio_temporal_condition.h"
#include "networks/vae/autoencoder.h"
#include "pipeline/networks.h"
#include "pipeline/profile.h"
#include "weights/safetensors.h"

namespace svd::pipeline {
namespace {

using at::Tensor;

const auto kNothing = [] {};

std::string golden(const std::string& name) {
  return std::string(SVD_TEST_DATA) + "/golden/" + name;
}

class Data {
 public:
  explicit Data(const std::string& name)
      : file_(weights::SafetensorsFile::open(golden("data/" + name))) {}
  Tensor operator[](const std::string& name) const {
    const weights::TensorInfo* info = file_->find(name);
    if (info == nullptr) throw std::runtime_error("no golden " + name);
    return file_->tensor(*info);
  }

 private:
  std::shared_ptr<weights::SafetensorsFile> file_;
};

// Largest difference as a part of the expected values' spread.
double difference(const Tensor& actual, const Tensor& expected) {
  EXPECT_EQ(actual.sizes(), expected.sizes());
  return ((actual - expected).abs().max() / expected.std()).item<double>();
}

constexpr double kTolerance = 1e-4;  // float32, sums in another order

struct Case {
  Profile profile;
  const char* suffix;
};
const Case kCases[] = {{Profile::reference, "_reference"}, {Profile::diffusers, "_diffusers"}};

class Golden : public testing::Test {
 protected:
  c10::InferenceMode no_gradients_;
  weights::Checkpoint checkpoint_ = weights::Checkpoint::open(golden("model"));

  WeightSource source(weights::Part part, at::ScalarType dtype = at::kFloat) const {
    return {checkpoint_, part, dtype, at::kCPU};
  }
};

TEST_F(Golden, unet_with_two_clips_and_two_steps) {
  const Data data("unet.safetensors");
  for (const auto& [profile, suffix] : kCases) {
    networks::UNetSpatioTemporalConditionModel unet(checkpoint_.config().unet,
                                                    profile_values(profile).unet_eps);
    const Tensor expected = data[std::string("output") + suffix];
    for (const std::string how :
         {"kept", "kept, first ones first", "streamed", "streamed, read ahead"}) {
      const bool streamed = how.starts_with("streamed");
      WeightSource from = source(weights::Part::unet);
      from.reads_ahead = how.ends_with("ahead");
      NetworkWeights weights(
          unet, from, streamed ? NetworkWeights::kStreamAll : NetworkWeights::kKeepAll, kNothing);
      const networks::ClipContext context = unet.prepare(data["embeds"], data["added_time_ids"], 5,
                                                         data["c_noise"], weights.for_prepare());
      how == "kept, first ones first" ? weights.load_first() : weights.load();
      for (int step = 0; step < 2; ++step) {
        const Tensor actual = unet.forward(
            data["sample"], context.at(at::full({1}, step, at::kLong)), weights.for_forward());
        EXPECT_LT(difference(actual, expected[step]), kTolerance)
            << suffix << " step " << step << ", " << how;
      }
    }
  }
}

std::int64_t loaded_bytes(nn::Module& network) {
  std::int64_t bytes = 0;
  for (const nn::Parameter& parameter : network.parameters()) {
    if (parameter.tensor->defined()) bytes += std::int64_t(parameter.tensor->nbytes());
  }
  return bytes;
}

// Small layers' weights (norms, biases) keep their published names when folded, so they tell.
TEST_F(Golden, streamed_weights_are_there_one_unit_at_a_time) {
  const Data data("unet.safetensors");
  networks::UNetSpatioTemporalConditionModel unet(checkpoint_.config().unet, {});
  std::int64_t all = 0;
  {
    NetworkWeights weights(unet, source(weights::Part::unet), NetworkWeights::kKeepAll, kNothing);
    weights.load();
    all = loaded_bytes(unet);
  }
  EXPECT_EQ(loaded_bytes(unet), 0);
  NetworkWeights weights(unet, source(weights::Part::unet), NetworkWeights::kStreamAll, kNothing);
  const networks::ClipContext context = unet.prepare(data["embeds"], data["added_time_ids"], 5,
                                                     data["c_noise"], weights.for_prepare());
  weights.load();
  std::int64_t most = 0, visits = 0;
  const nn::BeforeUnit load = weights.for_forward();
  unet.forward(data["sample"], context.at(at::full({1}, 0, at::kLong)),
               [&](const nn::Module& unit) {
                 load(unit);
                 most = std::max(most, loaded_bytes(unet));
                 ++visits;
               });
  EXPECT_GT(visits, 10);
  EXPECT_GT(most, 0);
  EXPECT_LT(most, all / 3);
  weights.drop();
  EXPECT_EQ(loaded_bytes(unet), 0);
}

TEST_F(Golden, kept_weights_come_at_their_first_turn_and_stay) {
  const Data data("unet.safetensors");
  networks::UNetSpatioTemporalConditionModel unet(checkpoint_.config().unet, {});
  NetworkWeights weights(unet, source(weights::Part::unet), NetworkWeights::kKeepAll, kNothing);
  const networks::ClipContext context = unet.prepare(data["embeds"], data["added_time_ids"], 5,
                                                     data["c_noise"], weights.for_prepare());
  weights.load_first();
  std::vector<std::int64_t> there = {loaded_bytes(unet)};
  const nn::BeforeUnit load = weights.for_forward();
  const auto pass = [&] {
    unet.forward(data["sample"], context.at(at::full({1}, 0, at::kLong)),
                 [&](const nn::Module& unit) {
                   load(unit);
                   there.push_back(loaded_bytes(unet));
                 });
  };
  pass();
  EXPECT_TRUE(std::is_sorted(there.begin(), there.end()));
  EXPECT_LT(there.front(), there.back() / 3);
  weights.load();  // nothing is left to do
  EXPECT_EQ(loaded_bytes(unet), there.back());
  there.clear();
  pass();
  EXPECT_EQ(there.front(), there.back());
}

// Each profile's epsilons are closer to the implementation it is named after than to the other.
TEST_F(Golden, profiles_differ_by_their_epsilons) {
  const Data data("unet.safetensors");
  for (const auto& [profile, own] : kCases) {
    const std::string other = profile == Profile::diffusers ? "_reference" : "_diffusers";
    networks::UNetSpatioTemporalConditionModel unet(checkpoint_.config().unet,
                                                    profile_values(profile).unet_eps);
    NetworkWeights weights(unet, source(weights::Part::unet), NetworkWeights::kKeepAll, kNothing);
    const networks::ClipContext context = unet.prepare(data["embeds"], data["added_time_ids"], 5,
                                                       data["c_noise"], weights.for_prepare());
    weights.load();
    const Tensor actual = unet.forward(data["sample"], context.at(at::full({1}, 0, at::kLong)),
                                       weights.for_forward());
    const auto error = [&](const std::string& suffix) {
      return (actual - data["output" + suffix][0]).square().mean().item<double>();
    };
    EXPECT_LT(error(own), 0.5 * error(other)) << own;
  }
}

TEST_F(Golden, vae_encoder) {
  const Data data("vae.safetensors");
  networks::AutoencoderEncoder encoder(checkpoint_.config().vae);
  NetworkWeights weights(encoder, source(weights::Part::vae), NetworkWeights::kKeepAll, kNothing);
  weights.load();
  const Tensor actual = encoder.encode_mode(data["pixels"], weights.for_forward());
  for (const auto& [profile, suffix] : kCases)
    EXPECT_LT(difference(actual, data[std::string("encoded") + suffix]), kTolerance) << suffix;
}

TEST_F(Golden, temporal_decoder_sees_the_whole_chunk) {
  const Data data("vae.safetensors");
  const auto decoder = networks::make_decoder(checkpoint_.config().vae);
  NetworkWeights weights(*decoder, source(weights::Part::vae), NetworkWeights::kKeepAll, kNothing);
  weights.load();
  for (int frames : {3, 5}) {
    const Tensor latents = data["latents"].narrow(0, 0, frames);
    const Tensor actual = decoder->decode(latents, frames, weights.for_forward());
    for (const auto& [profile, suffix] : kCases) {
      const std::string name = "decoded_" + std::to_string(frames) + suffix;
      EXPECT_LT(difference(actual, data[name]), kTolerance) << name;
    }
  }
}

TEST_F(Golden, frame_wise_decoder_of_the_image_decoder_files) {
  const Data data("vae.safetensors");
  const auto checkpoint =
      weights::Checkpoint::open(golden("model_single/svd_tiny_image_decoder.safetensors"));
  ASSERT_FALSE(checkpoint.config().vae.temporal_decoder);
  const auto decoder = networks::make_decoder(checkpoint.config().vae);
  NetworkWeights weights(*decoder, {checkpoint, weights::Part::vae, at::kFloat, at::kCPU},
                         NetworkWeights::kKeepAll, kNothing);
  weights.load();
  const Tensor actual = decoder->decode(data["latents"].narrow(0, 0, 2), 2, weights.for_forward());
  for (const auto& [profile, suffix] : kCases) {
    const std::string name = std::string("frame_wise_decoded_2") + suffix;
    EXPECT_LT(difference(actual, data[name]), kTolerance) << name;
  }
}

TEST_F(Golden, both_layouts_hold_the_same_weights) {
  const auto single = weights::Checkpoint::open(golden("model_single/svd_tiny.safetensors"));
  EXPECT_EQ(check_weights(single), std::vector<std::string>{});
  EXPECT_EQ(check_weights(checkpoint_), std::vector<std::string>{});
  networks::UNetSpatioTemporalConditionModel unet(checkpoint_.config().unet, {});
  for (const nn::Parameter& parameter : unet.parameters()) {
    const Tensor a = checkpoint_.read(weights::Part::unet, parameter.name, at::kFloat);
    const Tensor b = single.read(weights::Part::unet, parameter.name, at::kFloat);
    EXPECT_TRUE(a.equal(b)) << parameter.name;
  }
}

TEST_F(Golden, low_precision_stays_close) {
  const Data data("unet.safetensors");
  for (const auto dtype : {at::kBFloat16, at::kHalf}) {
    networks::UNetSpatioTemporalConditionModel unet(checkpoint_.config().unet,
                                                    profile_values(Profile::reference).unet_eps);
    NetworkWeights weights(unet, source(weights::Part::unet, dtype), NetworkWeights::kKeepAll,
                           kNothing);
    const networks::ClipContext context =
        unet.prepare(data["embeds"].to(dtype), data["added_time_ids"], 5, data["c_noise"],
                     weights.for_prepare());
    weights.load();
    const Tensor actual =
        unet.forward(data["sample"].to(dtype), context.at(at::full({1}, 0, at::kLong)),
                     weights.for_forward())
            .to(at::kFloat);
    const Tensor expected = data["output_reference"][0];
    const double error =
        ((actual - expected).square().mean().sqrt() / expected.std()).item<double>();
    EXPECT_GT(error, 0) << toString(dtype);
    EXPECT_LT(error, dtype == at::kBFloat16 ? 0.05 : 0.01) << toString(dtype);
  }
}

}  // namespace
}  // namespace svd::pipeline
