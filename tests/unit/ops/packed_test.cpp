#include "ops/packed.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "ops/cpu_features.h"

namespace svd::ops {
namespace {

using at::Tensor;

class Packed : public testing::TestWithParam<at::ScalarType> {
 protected:
  Packed() { at::manual_seed(4); }
  void SetUp() override {
    if (!can_pack(at::kCPU, GetParam())) GTEST_SKIP() << "this CPU does not pack these weights";
  }
  Tensor draw(at::IntArrayRef sizes) const { return at::randn(sizes, at::kDouble).to(GetParam()); }

  // The packed result is rounded once.
  void expect_close(const Tensor& actual, const Tensor& expected) const {
    ASSERT_EQ(actual.sizes(), expected.sizes());
    EXPECT_EQ(actual.scalar_type(), GetParam());
    const double error =
        ((actual.to(at::kDouble) - expected).norm() / expected.norm()).item<double>();
    EXPECT_LE(error, GetParam() == at::kBFloat16 ? 0x1p-8 : 1e-6);
  }
  c10::NoGradGuard no_grad_;
};

INSTANTIATE_TEST_SUITE_P(Types, Packed, testing::Values(at::kFloat, at::kBFloat16));

TEST_P(Packed, LinearFollowsItsDefinition) {
  const Tensor weight = draw({48, 40}), bias = draw({48});
  for (const std::vector<std::int64_t>& rows :
       {std::vector<std::int64_t>{1}, {130}, {2, 3}, {1, 2000}}) {
    std::vector<std::int64_t> in = rows, out = rows;
    in.push_back(40);
    out.push_back(48);
    const Tensor x = draw(in), other = draw(out);
    const Tensor packed = pack_linear(weight);
    const Tensor y = at::linear(x.to(at::kDouble), weight.to(at::kDouble), bias.to(at::kDouble));
    const Tensor wide = other.to(at::kDouble);
    expect_close(packed_linear(x, packed, bias), y);
    expect_close(packed_linear(x, packed, {}), y - bias.to(at::kDouble));
    expect_close(packed_linear(x, packed, bias, Epilogue::gelu), at::gelu(y));
    expect_close(packed_linear(x, packed, bias, Epilogue::add, other), y + wide);
    expect_close(packed_linear(x, packed, bias, Epilogue::multiply, other), y * wide);
  }
}

TEST_P(Packed, LinearTakesPartsOfAWeight) {
  const Tensor weight = draw({64, 32}), x = draw({5, 32});
  const Tensor packed = pack_linear(weight.narrow(0, 32, 32));
  expect_close(packed_linear(x, packed, {}),
               at::linear(x.to(at::kDouble), weight.narrow(0, 32, 32).to(at::kDouble)));
}

TEST_P(Packed, ConvolutionFollowsItsDefinition) {
  struct Case {
    Pair kernel, stride, padding, size;
  };
  for (const Case& c :
       {Case{{3, 3}, {1, 1}, {1, 1}, {9, 12}}, Case{{3, 3}, {2, 2}, {1, 1}, {9, 12}},
        Case{{3, 1}, {1, 1}, {1, 0}, {9, 12}}, Case{{2, 2}, {1, 1}, {1, 1}, {9, 12}},
        Case{{3, 3}, {1, 1}, {1, 1}, {1, 1}}, Case{{3, 1}, {1, 1}, {1, 0}, {5, 1}}}) {
    constexpr auto last = at::MemoryFormat::ChannelsLast;
    const Tensor weight = draw({24, 16, c.kernel[0], c.kernel[1]}).contiguous(last);
    const Tensor bias = draw({24}), x = draw({3, 16, c.size[0], c.size[1]}).contiguous(last);
    const Tensor expected = at::conv2d(x.to(at::kDouble), weight.to(at::kDouble),
                                       bias.to(at::kDouble), c.stride, c.padding);
    const Tensor packed = pack_conv(weight, c.stride, c.padding);
    const Tensor y = packed_conv(x, packed, bias, c.stride, c.padding);
    EXPECT_TRUE(y.is_contiguous(last));
    expect_close(y, expected);
    const Tensor other = draw(expected.sizes()).contiguous(last);
    expect_close(packed_conv(x, packed, bias, c.stride, c.padding, other),
                 expected + other.to(at::kDouble));
  }
}

TEST(CanPack, OnlyTheseTypesOnTheCpu) {
  EXPECT_TRUE(can_pack(at::zeros({2, 2})));
  EXPECT_EQ(can_pack(at::zeros({2, 2}, at::kBFloat16)), has_avx512());
  EXPECT_FALSE(can_pack(at::zeros({2, 2}, at::kDouble)));
  EXPECT_FALSE(can_pack(at::zeros({2, 2}, at::kHalf)));
}

}  // namespace
}  // namespace svd::ops
