#include "ops/attention.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cmath>

#include "support/devices.h"

namespace svd {
namespace {

using at::Tensor;

class AttentionOperations : public test::DeviceTest {
 protected:
  AttentionOperations() { at::manual_seed(3); }
  Tensor draw(at::IntArrayRef sizes, at::ScalarType type, double scale = 1) {
    return (at::randn(sizes, at::kDouble) * scale).to(device, type);
  }
};

INSTANTIATE_TEST_SUITE_P(Devices, AttentionOperations, test::all_devices(), test::device_name);

// The definition in float64. [N, L, heads, d] -> [N, L, heads * d].
Tensor attention_definition(const Tensor& q, const Tensor& k, const Tensor& v) {
  const auto wide = [](const Tensor& x) { return x.to(at::kCPU, at::kDouble).transpose(1, 2); };
  const Tensor scores = wide(q).matmul(wide(k).transpose(2, 3)) / std::sqrt(double(q.size(3)));
  return scores.softmax(-1).matmul(wide(v)).transpose(1, 2).flatten(2);
}

Tensor temporal_definition(const Tensor& q, const Tensor& k, const Tensor& v) {
  const auto positions_first = [](const Tensor& x) { return x.transpose(1, 2).flatten(0, 1); };
  return attention_definition(positions_first(q), positions_first(k), positions_first(v))
      .unflatten(0, {q.size(0), q.size(2)})
      .transpose(1, 2);
}

double error_of(const Tensor& actual, const Tensor& expected) {
  EXPECT_EQ(actual.sizes(), expected.sizes());
  const Tensor difference = actual.to(at::kCPU, at::kDouble) - expected;
  return (difference.norm() / expected.norm()).item<double>();
}

// Inputs, weights and result are rounded to the type, each to a relative 2^-9 at most in bfloat16.
double tolerance(at::ScalarType type) {
  return type == at::kBFloat16 ? 0x1p-8 : type == at::kHalf ? 0x1p-10 : 1e-6;
}

TEST_P(AttentionOperations, AttentionFollowsItsDefinition) {
  const c10::NoGradGuard no_grad;
  struct Case {
    std::int64_t pictures, queries, keys, heads, depth;
  };
  const Case cases[] = {{2, 28, 28, 5, 64},   {1, 1, 1, 1, 16},     {3, 63, 65, 2, 32},
                        {1, 257, 257, 3, 80}, {1, 300, 513, 2, 64}, {2, 49, 256, 1, 128},
                        {1, 50, 70, 1, 512},  {1, 20, 33, 2, 40}};
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kHalf}) {
    for (const Case& c : cases) {
      SCOPED_TRACE(testing::Message()
                   << type << " " << c.queries << "x" << c.keys << " of " << c.depth);
      const Tensor q = draw({c.pictures, c.queries, c.heads, c.depth}, type);
      const Tensor k = draw({c.pictures, c.keys, c.heads, c.depth}, type);
      const Tensor v = draw({c.pictures, c.keys, c.heads, c.depth}, type);
      const Tensor out = ops::attention(q, k, v);
      EXPECT_EQ(out.scalar_type(), type);
      EXPECT_TRUE(out.is_contiguous());
      EXPECT_LE(error_of(out, attention_definition(q, k, v)), tolerance(type));
    }
  }
}

TEST_P(AttentionOperations, AttentionReadsPartsOfAMergedTensor) {
  const c10::NoGradGuard no_grad;
  const Tensor merged = draw({2, 100, 3 * 4 * 64}, at::kBFloat16);
  const auto parts = merged.chunk(3, -1);
  const auto heads = [](const Tensor& x) { return x.unflatten(-1, {4, 64}); };
  const Tensor q = heads(parts[0]), k = heads(parts[1]), v = heads(parts[2]);
  EXPECT_TRUE(at::equal(ops::attention(q, k, v),
                        ops::attention(q.contiguous(), k.contiguous(), v.contiguous())));
}

// Scores far apart: one weight is 1, the others vanish, and nothing overflows.
TEST_P(AttentionOperations, AttentionBearsLargeScores) {
  const c10::NoGradGuard no_grad;
  const Tensor q = draw({1, 40, 2, 64}, at::kBFloat16, 60);
  const Tensor k = draw({1, 600, 2, 64}, at::kBFloat16, 60);
  const Tensor v = draw({1, 600, 2, 64}, at::kBFloat16);
  const Tensor out = ops::attention(q, k, v);
  EXPECT_TRUE(out.isfinite().all().item<bool>());
  EXPECT_LE(error_of(out, attention_definition(q, k, v)), 0x1p-8);
}

TEST_P(AttentionOperations, TemporalAttentionFollowsItsDefinition) {
  const c10::NoGradGuard no_grad;
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kHalf}) {
    for (const std::int64_t frames : {1, 14, 25, 64, 70}) {
      for (const std::int64_t depth : {16, 64, 40}) {
        SCOPED_TRACE(testing::Message() << type << " " << frames << " frames of " << depth);
        const Tensor merged = draw({2, frames, 7, 3 * 2 * depth}, type);
        const auto parts = merged.chunk(3, -1);
        const auto heads = [&](const Tensor& x) { return x.unflatten(-1, {2, depth}); };
        const Tensor q = heads(parts[0]), k = heads(parts[1]), v = heads(parts[2]);
        const Tensor out = ops::temporal_attention(q, k, v);
        EXPECT_EQ(out.scalar_type(), type);
        EXPECT_LE(error_of(out, temporal_definition(q, k, v)), tolerance(type));
      }
    }
  }
}

TEST_P(AttentionOperations, HaveGradients) {
  const Tensor q = draw({1, 3, 5, 2, 16}, at::kFloat).requires_grad_();
  const Tensor k = draw({1, 3, 5, 2, 16}, at::kFloat);
  const Tensor v = draw({1, 3, 5, 2, 16}, at::kFloat);
  ops::temporal_attention(q, k, v).sum().backward();
  EXPECT_GT(q.grad().abs().max().item<float>(), 0);
}

}  // namespace
}  // namespace svd
