#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

/// Tensor operations that svd-gen implements itself where a device gains from it. Each has a
/// composite twin of stock operations, which is used on devices without an own version and whenever
/// gradients are needed.
namespace svd::ops {

/// Group normalisation over channels-last pictures, then SiLU if `silu`.
/// x: [N, C, h, w], result the same shape in channels-last memory. Statistics in float32 at least.
at::Tensor group_norm(const at::Tensor& x, std::int64_t groups, const at::Tensor& weight,
                      const at::Tensor& bias, double eps, bool silu);

/// The same over the channels of x [N, C1, h, w] and `second` [N, C2, h, w] together, which are
/// read where they are: group_norm(cat({x, second}, 1), ...). Result [N, C1 + C2, h, w].
at::Tensor group_norm(const at::Tensor& x, const at::Tensor& second, std::int64_t groups,
                      const at::Tensor& weight, const at::Tensor& bias, double eps, bool silu);

struct SumAndNorm {
  at::Tensor sum;     ///< x + other + vectors
  at::Tensor normed;  ///< layer norm of it over the last dimension
};

/// x: [N, L, C]; other: the same or undefined; vectors: [N, C], added to all of a picture's tokens,
/// or undefined; weight and bias: [C].
SumAndNorm add_layer_norm(const at::Tensor& x, const at::Tensor& other, const at::Tensor& vectors,
                          const at::Tensor& weight, const at::Tensor& bias, double eps);

/// x + lerp(start, end, share), all of one shape.
at::Tensor add_blend(const at::Tensor& x, const at::Tensor& start, const at::Tensor& end,
                     double share);

/// GEGLU's gate. x: [..., 2C] = (value, gate); result [..., C] = value * gelu_erf(gate).
at::Tensor geglu(const at::Tensor& x);

}  // namespace svd::ops
