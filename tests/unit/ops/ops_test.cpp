#include "ops/ops.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cfenv>
#include <cmath>
#include <functional>
#include <tuple>
#include <vector>

#include "support/devices.h"

namespace svd {
namespace {

using at::Tensor;

class Operations : public test::DeviceTest {
 protected:
  // Draws on the CPU, so that every device sees the same numbers.
  Tensor draw(at::IntArrayRef sizes, at::ScalarType type = at::kFloat) {
    return at::randn(sizes, generator_, at::kFloat).to(device, type);
  }

 private:
  static at::Generator seeded() {
    at::Generator generator = at::globalContext().defaultGenerator(c10::kCPU).clone();
    generator.set_current_seed(20);
    return generator;
  }

  at::Generator generator_ = seeded();
};

INSTANTIATE_TEST_SUITE_P(Devices, Operations, test::all_devices(), test::device_name);

// The definitions, in float64 and in elementary operations.
Tensor group_norm_definition(const Tensor& x, std::int64_t groups, const Tensor& weight,
                             const Tensor& bias, double eps, bool silu) {
  const Tensor wide = x.to(at::kCPU, at::kDouble).contiguous();
  const Tensor grouped = wide.view({x.size(0), groups, -1});
  const Tensor centred = grouped - grouped.mean(-1, true);
  const Tensor variance = centred.square().mean(-1, true);
  const Tensor normal = (centred / (variance + eps).sqrt()).view(x.sizes());
  const Tensor y = normal * weight.to(at::kCPU, at::kDouble).view({1, -1, 1, 1}) +
                   bias.to(at::kCPU, at::kDouble).view({1, -1, 1, 1});
  return silu ? y / (1 + (-y).exp()) : y;
}

Tensor geglu_definition(const Tensor& x) {
  const Tensor wide = x.to(at::kCPU, at::kDouble);
  const std::int64_t channels = x.size(-1) / 2;
  const Tensor gate = wide.narrow(-1, channels, channels);
  return wide.narrow(-1, 0, channels) * 0.5 * gate * (1 + (gate * std::sqrt(0.5)).erf());
}

// Largest |difference| / (1 + |expected|).
double error_of(const Tensor& actual, const Tensor& expected) {
  EXPECT_EQ(actual.sizes(), expected.sizes());
  const Tensor difference = (actual.to(at::kCPU, at::kDouble) - expected).abs();
  return (difference / (1 + expected.abs())).max().item<double>();
}

// Relative spacing of the type's numbers; stock operations round twice, hence the 2. In float32 the
// smallest groups have spreads near eps and magnify the rounding of the mean.
double tolerance(at::ScalarType type) {
  switch (type) {
    case at::kBFloat16:
      return 2 * 0x1p-8;
    case at::kHalf:
      return 2 * 0x1p-11;
    default:
      return 2e-5;
  }
}

struct Shape {
  std::vector<std::int64_t> sizes;
  std::int64_t groups;
};

const std::vector<Shape> kShapes = {
    {{2, 64, 5, 7}, 32},    {{1, 320, 9, 4}, 32},  {{3, 30, 4, 4}, 3}, {{2, 64, 1, 1}, 32},
    {{1, 32, 300, 10}, 32}, {{1, 2560, 3, 3}, 32}, {{1, 7, 3, 5}, 1},  {{40, 32, 2, 1}, 32},
};

TEST_P(Operations, GroupNormFollowsItsDefinition) {
  const c10::NoGradGuard no_grad;
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kHalf, at::kDouble}) {
    for (const Shape& shape : kShapes) {
      for (const bool silu : {false, true}) {
        SCOPED_TRACE(testing::Message() << type << " " << at::IntArrayRef(shape.sizes) << silu);
        const std::int64_t channels = shape.sizes[1];
        const Tensor x = draw(shape.sizes, type).contiguous(at::MemoryFormat::ChannelsLast);
        const Tensor weight = draw({channels}, type);
        const Tensor bias = draw({channels}, type);
        const Tensor y = ops::group_norm(x, shape.groups, weight, bias, 1e-5, silu);
        EXPECT_EQ(y.scalar_type(), type);
        EXPECT_LE(error_of(y, group_norm_definition(x, shape.groups, weight, bias, 1e-5, silu)),
                  tolerance(type));
      }
    }
  }
}

// 48 + 16 channels in groups of 2, and 40 + 24 in groups of 16, of which one has both sources.
TEST_P(Operations, GroupNormReadsTwoSources) {
  const c10::NoGradGuard no_grad;
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kHalf, at::kDouble}) {
    for (const auto& [first, groups] : {std::pair{48, 32}, std::pair{40, 4}, std::pair{33, 2}}) {
      SCOPED_TRACE(testing::Message() << type << " " << first);
      const Tensor x = draw({2, first, 5, 3}, type).contiguous(at::MemoryFormat::ChannelsLast);
      const Tensor second =
          draw({2, 64 - first, 5, 3}, type).contiguous(at::MemoryFormat::ChannelsLast);
      const Tensor weight = draw({64}, type), bias = draw({64}, type);
      const Tensor y = ops::group_norm(x, second, groups, weight, bias, 1e-5, true);
      const Tensor joined = at::cat({x, second}, 1);
      EXPECT_LE(error_of(y, group_norm_definition(joined, groups, weight, bias, 1e-5, true)),
                tolerance(type));
    }
  }
}

TEST_P(Operations, GroupNormLeavesItsInputAlone) {
  const c10::NoGradGuard no_grad;
  const Tensor x = draw({2, 32, 3, 5}).contiguous(at::MemoryFormat::ChannelsLast);
  const Tensor before = x.clone();
  ops::group_norm(x, 32, at::ones({32}, x.options()), at::zeros({32}, x.options()), 1e-5, true);
  EXPECT_TRUE(at::equal(x, before));
}

TEST_P(Operations, GroupNormResultIsChannelsLast) {
  const c10::NoGradGuard no_grad;
  const Tensor weight = draw({64});
  const Tensor bias = draw({64});
  const Tensor clip = draw({2, 3, 4, 5, 64});  // [B, F, h, w, C]
  const std::vector<Tensor> inputs = {
      draw({2, 64, 4, 5}),
      draw({2, 64, 4, 5}).contiguous(at::MemoryFormat::ChannelsLast),
      clip.view({2, 12, 5, 64}).permute({0, 3, 1, 2}),
      clip.narrow(0, 1, 1).view({1, 12, 5, 64}).permute({0, 3, 1, 2}),
      draw({2, 128, 4, 5}).contiguous(at::MemoryFormat::ChannelsLast).narrow(1, 32, 64),
      draw({6, 64, 1, 1}),
      draw({6, 1, 1, 64}).permute({0, 3, 1, 2}),
  };
  for (const Tensor& x : inputs) {
    for (const bool silu : {false, true}) {
      SCOPED_TRACE(testing::Message() << x.sizes() << x.strides() << silu);
      const Tensor y = ops::group_norm(x, 32, weight, bias, 1e-6, silu);
      EXPECT_TRUE(y.is_contiguous(at::MemoryFormat::ChannelsLast));
      EXPECT_LE(error_of(y, group_norm_definition(x, 32, weight, bias, 1e-6, silu)),
                tolerance(at::kFloat));
    }
  }
}

// Statistics from a sum of squares in float32 would be off by percents here.
TEST_P(Operations, GroupNormKeepsAccuracyFarFromZero) {
  const c10::NoGradGuard no_grad;
  const Tensor x = (draw({2, 64, 16, 16}) + 1000).contiguous(at::MemoryFormat::ChannelsLast);
  const Tensor weight = at::ones({64}, x.options());
  const Tensor bias = at::zeros({64}, x.options());
  const Tensor y = ops::group_norm(x, 32, weight, bias, 1e-5, false);
  EXPECT_LE(error_of(y, group_norm_definition(x, 32, weight, bias, 1e-5, false)), 5e-4);
}

// Denormal numbers cost a hundred cycles each, also where a loop drops them.
TEST(GroupNorm, ComputesNoDenormalNumbers) {
  const c10::NoGradGuard no_grad;
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    SCOPED_TRACE(type);
    // Few enough for the thread whose flags are read.
    const Tensor x = at::linspace(-1, 1, 2048).reshape({1, 32, 8, 8}).to(type);
    const Tensor one = at::ones({32}, x.options());
    std::feclearexcept(FE_ALL_EXCEPT);
    const Tensor y = ops::group_norm(x, 32, one, 0.1 * one, 1e-5, true);
    EXPECT_FALSE(std::fetestexcept(FE_UNDERFLOW));
    EXPECT_TRUE(std::fetestexcept(FE_INEXACT)) << "the flags show what was computed";
  }
}

TEST_P(Operations, GegluFollowsItsDefinition) {
  const c10::NoGradGuard no_grad;
  const std::vector<std::vector<std::int64_t>> sizes = {
      {1, 2}, {5, 26}, {2, 9, 640}, {3, 2, 5, 48}, {300, 64}, {2, 5120}, {0, 16}};
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kHalf, at::kDouble}) {
    for (const auto& size : sizes) {
      SCOPED_TRACE(testing::Message() << type << " " << at::IntArrayRef(size));
      const Tensor x = draw(size, type) * 3;
      const Tensor y = ops::geglu(x);
      EXPECT_EQ(y.scalar_type(), type);
      const Tensor expected = geglu_definition(x);
      ASSERT_EQ(y.sizes(), expected.sizes());
      if (y.numel() > 0) {
        EXPECT_LE(error_of(y, expected), tolerance(type));
      }
    }
  }
}

TEST_P(Operations, AddLayerNormFollowsItsDefinition) {
  const c10::NoGradGuard no_grad;
  const std::vector<std::vector<std::int64_t>> sizes = {
      {1, 1, 32}, {3, 7, 320}, {2, 33, 640}, {4, 5, 1280}, {2, 3, 1288}, {2, 9, 50}, {0, 4, 32}};
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kHalf, at::kDouble}) {
    for (const auto& size : sizes) {
      for (const bool with_other : {true, false}) {
        for (const bool with_vectors : {true, false}) {
          SCOPED_TRACE(testing::Message()
                       << type << " " << at::IntArrayRef(size) << (with_other ? ", other" : "")
                       << (with_vectors ? ", vectors" : ""));
          const Tensor x = draw(size, type);
          const Tensor other = with_other ? draw(size, type) : Tensor();
          const Tensor vectors = with_vectors ? draw({size[0], size[2]}, type) : Tensor();
          const Tensor weight = draw({size[2]}, type), bias = draw({size[2]}, type);
          const auto [sum, normed] = ops::add_layer_norm(x, other, vectors, weight, bias, 1e-5);

          Tensor wide = x.to(at::kCPU, at::kDouble);
          if (with_other) wide = wide + other.to(at::kCPU, at::kDouble);
          if (with_vectors) wide = wide + vectors.to(at::kCPU, at::kDouble).unsqueeze(1);
          ASSERT_EQ(sum.sizes(), x.sizes());
          if (x.numel() == 0) continue;
          EXPECT_LE(error_of(sum, wide), 2 * tolerance(type));
          const Tensor rounded = sum.to(at::kCPU, at::kDouble);
          const Tensor centred = rounded - rounded.mean(-1, true);
          const Tensor scale = (centred.square().mean(-1, true) + 1e-5).rsqrt();
          const Tensor expected =
              centred * scale * weight.to(at::kCPU, at::kDouble) + bias.to(at::kCPU, at::kDouble);
          EXPECT_LE(error_of(normed, expected), 2 * tolerance(type));
        }
      }
    }
  }
}

// Products come out in bfloat16 then, while weights stay float32.
TEST_P(Operations, TakeTheTypesOfAutocast) {
  const c10::NoGradGuard no_grad;
  at::autocast::set_autocast_enabled(device.type(), true);
  at::autocast::set_autocast_dtype(device.type(), at::kBFloat16);
  const Tensor narrow = draw({2, 5, 320}, at::kBFloat16), wide = draw({2, 5, 320}, at::kFloat);
  const Tensor weight = draw({320}, at::kFloat), bias = draw({320}, at::kFloat);
  const auto [sum, normed] = ops::add_layer_norm(narrow, narrow, {}, weight, bias, 1e-5);
  const Tensor blended = ops::add_blend(wide, narrow, narrow, 0.25);
  at::autocast::set_autocast_enabled(device.type(), false);
  EXPECT_LE(error_of(sum, narrow.to(at::kCPU, at::kDouble) * 2), 2 * tolerance(at::kBFloat16));
  const Tensor expected = at::layer_norm(sum.to(at::kFloat), {320}, weight, bias, 1e-5);
  EXPECT_LE(error_of(normed, expected.to(at::kCPU, at::kDouble)), 2 * tolerance(at::kBFloat16));
  EXPECT_LE(error_of(blended, (wide + narrow).to(at::kCPU, at::kDouble)),
            2 * tolerance(at::kBFloat16));
}

TEST_P(Operations, AddBlendFollowsItsDefinition) {
  const c10::NoGradGuard no_grad;
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kHalf, at::kDouble}) {
    for (const std::vector<std::int64_t>& size :
         {std::vector<std::int64_t>{1}, {3, 7, 320}, {5, 13}, {0, 4}}) {
      SCOPED_TRACE(testing::Message() << type << " " << at::IntArrayRef(size));
      const Tensor x = draw(size, type), start = draw(size, type), end = draw(size, type);
      const Tensor y = ops::add_blend(x, start, end, 0.3);
      const auto wide = [](const Tensor& tensor) { return tensor.to(at::kCPU, at::kDouble); };
      const Tensor expected = wide(x) + 0.7 * wide(start) + 0.3 * wide(end);
      ASSERT_EQ(y.sizes(), x.sizes());
      if (y.numel() > 0) {
        EXPECT_LE(error_of(y, expected), 2 * tolerance(type));
      }
    }
  }
}

TEST_P(Operations, GegluReadsStridedInput) {
  const c10::NoGradGuard no_grad;
  const Tensor whole = draw({7, 40});
  const Tensor before = whole.clone();
  for (const Tensor& x : {whole.narrow(1, 3, 32), whole.t().narrow(1, 1, 6)}) {
    EXPECT_LE(error_of(ops::geglu(x), geglu_definition(x)), tolerance(at::kFloat));
  }
  EXPECT_TRUE(at::equal(whole, before));
}

// Compares the gradient of sum(probe * f(x)) with central differences along random directions.
void check_gradient(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                    const std::vector<Tensor>& inputs) {
  std::vector<Tensor> leaves;
  for (const Tensor& input : inputs) {
    leaves.push_back(input.detach().clone().set_requires_grad(true));
  }
  const Tensor y = f(leaves);
  ASSERT_TRUE(y.requires_grad());
  const Tensor probe = at::linspace(-1, 1, y.numel(), y.options()).view_as(y);
  (y * probe).sum().backward();

  const c10::NoGradGuard no_grad;
  constexpr double kStep = 1e-5;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Tensor direction =
        at::linspace(0, 20, inputs[i].numel(), inputs[i].options()).sin().view_as(inputs[i]);
    const auto value_at = [&](double step) {
      std::vector<Tensor> moved = inputs;
      moved[i] = inputs[i] + step * direction;
      return (f(moved) * probe).sum().item<double>();
    };
    const double expected = (value_at(kStep) - value_at(-kStep)) / (2 * kStep);
    const double actual = (leaves[i].grad() * direction).sum().item<double>();
    EXPECT_NEAR(actual, expected, 1e-6 * (1 + std::abs(expected))) << "input " << i;
  }
}

TEST_P(Operations, GradientsFlow) {
  const Tensor x = draw({2, 6, 3, 4}, at::kDouble).contiguous(at::MemoryFormat::ChannelsLast);
  const std::vector<Tensor> norm_inputs = {x, draw({6}, at::kDouble), draw({6}, at::kDouble)};
  for (const bool silu : {false, true}) {
    check_gradient(
        [&](const std::vector<Tensor>& in) {
          return ops::group_norm(in[0], 3, in[1], in[2], 1e-5, silu);
        },
        norm_inputs);
  }
  check_gradient([](const std::vector<Tensor>& in) { return ops::geglu(in[0]); },
                 {draw({5, 14}, at::kDouble)});
}

TEST_P(Operations, TrainingAndInferenceAgree) {
  const Tensor x = draw({2, 64, 6, 5}).contiguous(at::MemoryFormat::ChannelsLast);
  const Tensor weight = draw({64}).set_requires_grad(true);
  const Tensor bias = draw({64});
  const Tensor trained = ops::group_norm(x, 32, weight, bias, 1e-5, true);
  EXPECT_TRUE(trained.requires_grad());
  EXPECT_TRUE(trained.is_contiguous(at::MemoryFormat::ChannelsLast));
  const c10::NoGradGuard no_grad;
  const Tensor inferred = ops::group_norm(x, 32, weight, bias, 1e-5, true);
  EXPECT_FALSE(inferred.requires_grad());
  EXPECT_LE(error_of(inferred, trained.to(at::kCPU, at::kDouble)), tolerance(at::kFloat));
}

TEST_P(Operations, RefuseWrongShapes) {
  const Tensor affine = draw({30});
  EXPECT_THROW(ops::group_norm(draw({1, 30, 2, 2}), 32, affine, affine, 1e-5, false), c10::Error);
  EXPECT_THROW(ops::group_norm(draw({30, 2, 2}), 3, affine, affine, 1e-5, false), c10::Error);
  EXPECT_THROW(ops::geglu(draw({2, 7})), c10::Error);
}

// The CPU's own loops, whatever the number of threads; without OpenMP they would be silently
// serial.
TEST(ParallelOperations, UseEveryThreadAndGiveTheSameBits) {
  const c10::NoGradGuard no_grad;
  const int threads = at::get_num_threads();
  const Tensor x = at::randn({3, 64, 40, 30}).contiguous(at::MemoryFormat::ChannelsLast);
  const Tensor weight = at::randn({64});
  const Tensor bias = at::randn({64});
  std::vector<Tensor> results;
  for (const int count : {1, 2, 3}) {
    at::set_num_threads(count);
    std::atomic<int> chunks = 0;
    at::parallel_for(0, 60, 1, [&](std::int64_t, std::int64_t) { ++chunks; });
    EXPECT_EQ(chunks, count);
    results.push_back(ops::group_norm(x, 32, weight, bias, 1e-5, true));
  }
  at::set_num_threads(threads);
  EXPECT_TRUE(at::equal(results[0], results[1]));
  EXPECT_TRUE(at::equal(results[0], results[2]));
}

// More elements than 32-bit indices reach; the ends of the result must be as if computed alone.
TEST_P(Operations, IndexBeyondTwoToThe31) {
  if (!device.is_cuda()) GTEST_SKIP() << "takes 13 GB";
  const c10::NoGradGuard no_grad;
  const auto options = at::TensorOptions(device).dtype(at::kBFloat16);
  const std::int64_t rows = (std::int64_t{1} << 31) / 64 + 5000;
  const Tensor x = at::randn({rows, 64}, options);
  const Tensor tail = x.narrow(0, rows - 3000, 3000).clone();
  EXPECT_TRUE(at::equal(ops::geglu(x).narrow(0, rows - 3000, 3000), ops::geglu(tail)));

  const Tensor picture = x.view({1, rows / 8, 8, 64}).permute({0, 3, 1, 2});
  const Tensor weight = at::ones({64}, options);
  const Tensor bias = at::zeros({64}, options);
  const Tensor y = ops::group_norm(picture, 32, weight, bias, 1e-5, false);
  // Standard normal input: the norm changes it by about 1 / sqrt(elements of a group).
  const Tensor y_tail = y.narrow(2, rows / 8 - 300, 300);
  const Tensor x_tail = picture.narrow(2, rows / 8 - 300, 300);
  EXPECT_LE(error_of(y_tail, x_tail.to(at::kCPU, at::kDouble)), 0x1p-8);
}

}  // namespace
}  // namespace svd
