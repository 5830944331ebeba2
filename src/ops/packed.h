#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>

/// Matrix products and convolutions on the CPU with oneDNN's own weight layouts: weights are
/// reordered once instead of at every call, and what follows a product (bias, GELU, a product with
/// or the sum of another tensor) is computed while the result is still in registers. libtorch
/// offers both as operators of its library "mkldnn".
namespace svd::ops {

/// Whether weights of this device and type can be packed on this CPU.
bool can_pack(const c10::Device& device, at::ScalarType type);
bool can_pack(const at::Tensor& weight);  ///< false for none

/// weight: [out, in], any strides -> the same in oneDNN's layout.
at::Tensor pack_linear(const at::Tensor& weight);

/// What is done with x W^T + b before it is rounded to the result's type.
enum class Epilogue { none, gelu /* erf */, add /* + other */, multiply /* * other */ };

/// x: [..., in] contiguous; packed: of `pack_linear`; bias: [out] or undefined; other: shape of the
/// result, for `add` and `multiply`. Result [..., out].
at::Tensor packed_linear(const at::Tensor& x, const at::Tensor& packed, const at::Tensor& bias,
                         Epilogue epilogue = Epilogue::none, const at::Tensor& other = {});

using Pair = std::array<std::int64_t, 2>;  ///< rows, columns

/// weight: [out, in, kh, kw] -> the same in oneDNN's layout.
at::Tensor pack_conv(const at::Tensor& weight, Pair stride, Pair padding);

/// picture: [N, in, h, w] channels-last; other: undefined or a picture of the result's shape that
/// is added to it. Result channels-last.
at::Tensor packed_conv(const at::Tensor& picture, const at::Tensor& packed, const at::Tensor& bias,
                       Pair stride, Pair padding, const at::Tensor& other = {});

}  // namespace svd::ops
