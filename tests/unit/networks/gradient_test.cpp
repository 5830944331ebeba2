// The UNet stays differentiable: its analytic gradient agrees with finite differences, and reaches
// every parameter but those that a one-token context does not read.

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cmath>

#include "networks/unet/unet_spatio_temporal_condition.h"
#include "unit/networks/small_unet.h"

namespace svd::networks {
namespace {

const nn::BeforeUnit kNothing = [](const nn::Module&) {};

class Gradient : public testing::Test {
 protected:
  Gradient() {
    for (const nn::Parameter& parameter : unet_.parameters()) {
      const double fan_in =
          parameter.shape.size() > 1 ? count(parameter.shape) / double(parameter.shape[0]) : 4;
      Tensor value = random(parameter.shape) / std::sqrt(fan_in);
      if (parameter.name.find("norm") != std::string::npos && parameter.shape.size() == 1)
        value = value + 1;
      *parameter.tensor = value.set_requires_grad(true);
    }
  }

  static double count(const std::vector<std::int64_t>& shape) {
    double n = 1;
    for (const std::int64_t size : shape) n *= double(size);
    return n;
  }
  Tensor random(at::IntArrayRef shape) { return at::randn(shape, generator_, at::kDouble); }

  Tensor loss() {
    const ClipContext context = unet_.prepare(embeds_, ids_, 3, steps_, kNothing);
    return (unet_.forward(sample_, context.at(at::full({1}, 0, at::kLong)), kNothing) * weight_)
        .sum();
  }

  at::Generator generator_ = at::detail::createCPUGenerator(5);
  UNetSpatioTemporalConditionModel unet_{test::small_unet(), {}};
  Tensor sample_ = random({1, 3, 8, 4, 4});
  Tensor weight_ = random({1, 3, 4, 4, 4});
  Tensor embeds_ = random({1, 1, 16});
  Tensor ids_ = at::tensor({6.0, 127.0, 0.02}, at::kDouble).unsqueeze(0);
  Tensor steps_ = at::tensor({0.7}, at::kDouble);
};

bool unread_by_one_token(const std::string& name) {
  for (const char* part : {"attn2.to_q", "attn2.to_k", ".norm2."})
    if (name.find("transformer_blocks") != std::string::npos &&
        name.find(part) != std::string::npos)
      return true;
  return false;
}

TEST_F(Gradient, agrees_with_finite_differences) {
  loss().backward();
  for (const nn::Parameter& parameter : unet_.parameters()) {
    const Tensor gradient = parameter.tensor->grad();
    if (unread_by_one_token(parameter.name)) {
      EXPECT_FALSE(gradient.defined()) << parameter.name;
      continue;
    }
    ASSERT_TRUE(gradient.defined()) << parameter.name;
    const Tensor direction = random(parameter.shape);
    const double expected = (gradient * direction).sum().item<double>();
    const at::NoGradGuard no_gradients;
    constexpr double kStep = 1e-5;
    parameter.tensor->add_(direction, kStep);
    const double above = loss().item<double>();
    parameter.tensor->add_(direction, -2 * kStep);
    const double below = loss().item<double>();
    parameter.tensor->add_(direction, kStep);
    EXPECT_NEAR((above - below) / (2 * kStep), expected, 1e-5 * (1 + std::abs(expected)))
        << parameter.name;
  }
}

}  // namespace
}  // namespace svd::networks
