#include "cli/operation_cost.h"

#include <gtest/gtest.h>

namespace svd::cli {
namespace {

double flops(const char* name, const std::vector<Shape>& inputs, const Shape& output = {},
             const char* overload = "") {
  return count_flops(name, overload, inputs, output);
}

TEST(OperationCost, CountsMatrixProducts) {
  EXPECT_EQ(flops("aten::mm", {{3, 5}, {5, 7}}), 2 * 3 * 5 * 7);
  EXPECT_EQ(flops("aten::bmm", {{2, 3, 5}, {2, 5, 7}}), 2 * 2 * 3 * 5 * 7);
  EXPECT_EQ(flops("aten::addmm", {{7}, {3, 5}, {5, 7}}), 2 * 3 * 5 * 7);
  EXPECT_EQ(flops("aten::addmm_", {{3, 7}, {3, 5}, {5, 7}}), 2 * 3 * 5 * 7);
  EXPECT_EQ(flops("aten::baddbmm", {{2, 3, 7}, {2, 3, 5}, {2, 5, 7}}), 2 * 2 * 3 * 5 * 7);
}

TEST(OperationCost, CountsLinearLayersOverAllLeadingDimensions) {
  EXPECT_EQ(flops("aten::linear", {{2, 3, 5}, {7, 5}, {7}}), 2 * 2 * 3 * 5 * 7);
  EXPECT_EQ(flops("mkldnn::_linear_pointwise", {{3, 5}, {7, 5}, {}}), 2 * 3 * 5 * 7);
}

TEST(OperationCost, FindsTheWeightBehindASecondSummand) {
  EXPECT_EQ(flops("mkldnn::_linear_pointwise", {{3, 5}, {3, 7}, {7, 5}, {7}}, {3, 7}, "binary"),
            2 * 3 * 5 * 7);
  EXPECT_EQ(flops("mkldnn::_convolution_pointwise", {{1, 3, 8, 8}, {1, 7, 8, 8}, {7, 3, 3, 3}},
                  {1, 7, 8, 8}, "binary"),
            2 * 7 * 64 * 27);
}

TEST(OperationCost, CountsConvolutionsByTheirOutput) {
  const Shape strided_output = {2, 7, 4, 4};
  for (const char* name :
       {"aten::convolution", "aten::mkldnn_convolution", "mkldnn::_convolution_pointwise"})
    EXPECT_EQ(flops(name, {{2, 3, 8, 8}, {7, 3, 3, 3}, {7}}, strided_output), 2 * 2 * 7 * 16 * 27)
        << name;
  EXPECT_EQ(flops("aten::conv3d", {{1, 3, 5, 8, 8}, {7, 3, 3, 1, 1}}, {1, 7, 5, 8, 8}),
            2 * 7 * 5 * 64 * 9);
  // Depthwise: each output channel sees one of the input's.
  EXPECT_EQ(flops("aten::convolution", {{1, 6, 4, 4}, {6, 1, 3, 3}}, {1, 6, 4, 4}), 2 * 6 * 16 * 9);
}

TEST(OperationCost, CountsBothProductsOfAttention) {
  const std::vector<Shape> query_key_value = {{2, 5, 11, 8}, {2, 5, 13, 8}, {2, 5, 13, 8}};
  const double expected = 2.0 * 2 * 5 * 11 * 13 * (8 + 8);
  EXPECT_EQ(flops("aten::scaled_dot_product_attention", query_key_value), expected);
  EXPECT_EQ(flops("aten::_scaled_dot_product_flash_attention_for_cpu", query_key_value), expected);
}

TEST(OperationCost, IsNothingForOtherOperatorsAndStrangeShapes) {
  EXPECT_EQ(flops("aten::add", {{3, 5}, {3, 5}}, {3, 5}), 0);
  EXPECT_EQ(flops("aten::mm", {}), 0);
  EXPECT_EQ(flops("aten::linear", {{3, 5}, {}}), 0);
  EXPECT_EQ(flops("aten::mkldnn_reorder_conv2d_weight", {{7, 3, 3, 3}, {}}, {7, 3, 3, 3}), 0);
}

}  // namespace
}  // namespace svd::cli
