// Gradients of the networks against diffusers' (tests/golden/make_goldens.py, make_gradients), and
// those of gradient checkpointing against those without.

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "base/json.h"
#include "networks/unet/unet_spatio_temporal_condition.h"
#include "networks/vae/autoencoder.h"
#include "nn/checkpoint.h"
#include "pipeline/profile.h"
#include "training/weights_in.h"
#include "weights/config_reader.h"
#include "weights/safetensors.h"

namespace svd::training {
namespace {

using at::Tensor;
const nn::BeforeUnit kNothing = [](const nn::Module&) {};
const std::string kGolden = std::string(SVD_TEST_DATA) + "/golden/";

Tensor stored(const std::string& file, const std::string& name) {
  const auto opened = weights::SafetensorsFile::open(kGolden + "data/" + file);
  return opened->tensor(*opened->find(name)).clone();
}

Tensor wave(std::int64_t count, double frequency) {
  return (at::arange(count, at::kDouble) * frequency).cos();
}

/// The outputs summed with a wave as weights.
void backward(const Tensor& output) {
  const Tensor flat = output.contiguous().flatten();
  torch::autograd::backward({(flat * wave(flat.numel(), 0.3)).sum()}, {});
}

std::vector<nn::Parameter> trainable(std::vector<nn::Parameter> parameters,
                                     const std::string& part) {
  EXPECT_TRUE(read_weights(parameters, kGolden + "model/" + part, "diffusion_pytorch_model"));
  for (const nn::Parameter& parameter : parameters)
    *parameter.tensor = parameter.tensor->to(at::kDouble).set_requires_grad(true);
  return parameters;
}

/// True gradients of these are zero for a context of one token: softmax over one key is 1.
bool is_zero_in_truth(const std::string& name) {
  for (const char* part : {"attn2.to_q", "attn2.to_k", "norm2."})
    if (name.find("transformer_blocks") != std::string::npos &&
        name.find(part) != std::string::npos)
      return true;
  return false;
}

void expect_golden(const std::vector<nn::Parameter>& parameters, const std::string& part) {
  const Json golden = read_json_file(kGolden + "data/gradients.json", ErrorKind::internal);
  std::size_t compared = 0;
  for (const nn::Parameter& parameter : parameters) {
    if (is_zero_in_truth(parameter.name)) continue;
    const Json& expected = golden.at(part).at(parameter.name);
    const Tensor gradient = parameter.tensor->grad();
    ASSERT_TRUE(gradient.defined()) << parameter.name;
    const double norm = expected[0].get<double>();
    const double sum =
        (gradient.contiguous().flatten() * wave(gradient.numel(), 0.7)).sum().item<double>();
    // A block that the model's whole output hardly depends on has a gradient of nothing but
    // rounding.
    const double tolerance = 1e-6 * norm + 1e-9;
    EXPECT_NEAR(gradient.norm().item<double>(), norm, tolerance) << parameter.name;
    EXPECT_NEAR(sum, expected[1].get<double>(), tolerance * std::sqrt(double(gradient.numel())))
        << parameter.name;
    ++compared;
  }
  EXPECT_GT(compared, 100U);
}

class UNetGradients : public testing::Test {
 protected:
  networks::UNetSpatioTemporalConditionModel unet_{
      weights::read_folder_config(kGolden + "model").unet,
      pipeline::profile_values(Profile::diffusers).unet_eps};
  std::vector<nn::Parameter> parameters_ = trainable(unet_.parameters(), "unet");

  /// Each of the two clips at its own noise level.
  Tensor output(const Tensor& sample) const {
    const Tensor c_noise = stored("unet.safetensors", "c_noise").unsqueeze(0);
    const auto context = unet_.prepare(stored("unet.safetensors", "embeds").to(at::kDouble),
                                       stored("unet.safetensors", "added_time_ids"), sample.size(1),
                                       c_noise, kNothing);
    return unet_.forward(sample, context.at(at::tensor({0}, at::kLong)), kNothing);
  }
  static Tensor sample() { return stored("unet.safetensors", "sample").to(at::kDouble); }
};

TEST_F(UNetGradients, are_those_of_diffusers) {
  backward(output(sample()));
  expect_golden(parameters_, "unet");
}

TEST_F(UNetGradients, are_the_same_with_checkpointing) {
  const Tensor plain_input = sample().set_requires_grad(true);
  backward(output(plain_input));
  std::vector<Tensor> plain;
  for (const nn::Parameter& parameter : parameters_) {
    plain.push_back(parameter.tensor->grad());
    parameter.tensor->mutable_grad().reset();
  }
  const Tensor input = sample().set_requires_grad(true);
  const nn::GradientCheckpointing checkpointing(true);
  backward(output(input));
  EXPECT_TRUE(input.grad().allclose(plain_input.grad(), 1e-9, 1e-9));
  for (std::size_t i = 0; i < plain.size(); ++i) {
    const Tensor gradient = parameters_[i].tensor->grad();
    ASSERT_EQ(gradient.defined(), plain[i].defined()) << parameters_[i].name;
    if (gradient.defined()) {
      EXPECT_TRUE(gradient.allclose(plain[i], 1e-9, 1e-9)) << parameters_[i].name;
    }
  }
}

TEST(VaeGradients, are_those_of_diffusers) {
  const ModelConfig config = weights::read_folder_config(kGolden + "model");
  networks::AutoencoderEncoder encoder(config.vae);
  networks::AutoencoderTemporalDecoder decoder(config.vae);
  std::vector<nn::Parameter> parameters = encoder.parameters();
  for (nn::Parameter& parameter : decoder.parameters()) parameters.push_back(std::move(parameter));
  trainable(parameters, "vae");
  backward(encoder.encode(stored("vae.safetensors", "pixels").to(at::kDouble), kNothing));
  const Tensor latents = stored("vae.safetensors", "latents").narrow(0, 0, 3).to(at::kDouble);
  backward(decoder.decode(latents, 3, kNothing));
  expect_golden(parameters, "vae");
}

}  // namespace
}  // namespace svd::training
