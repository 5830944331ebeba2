#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace svd::ops {

/// Group normalisation on the CPU for float32, bfloat16 and float16; arguments and result as
/// `group_norm`. Means and squared deviations are taken apart, in two passes over blocks that stay
/// in cache: the stock operation subtracts squares for channels-last input and loses all digits
/// where the mean is large against the spread. Results do not depend on the thread count.
at::Tensor group_norm_cpu(const at::Tensor& x, const at::Tensor& second, std::int64_t groups,
                          const at::Tensor& weight, const at::Tensor& bias, double eps, bool silu);

/// The two passes apart, for pictures that are computed in parts: mean and 1 / sqrt(variance + eps)
/// of each group, x [N, C, h, w] -> [N, groups, 2] in float32; and what `group_norm_cpu` then does
/// with them to a part of the rows or columns.
at::Tensor group_norm_statistics_cpu(const at::Tensor& x, std::int64_t groups, double eps);
at::Tensor normalize_cpu(const at::Tensor& part, const at::Tensor& statistics,
                         const at::Tensor& weight, const at::Tensor& bias, bool silu);

}  // namespace svd::ops
