#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace svd::ops {

/// softmax(q k^T / sqrt(d)) v. q, k, v: [N, length, heads, d] in any strides. Result
/// [N, length, heads * d], contiguous. In bfloat16 on a CPU with AVX-512 BF16 a version of our own,
/// elsewhere and with gradients torch's.
at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v);

/// The same over the frames at each position. q, k, v: [B, F, positions, heads, d] in any strides.
/// Result [B, F, positions, heads * d], contiguous.
at::Tensor temporal_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v);

}  // namespace svd::ops
