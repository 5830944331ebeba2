#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/library.h>

#include <array>
#include <cstdint>
#include <optional>
#include <tuple>
#include <vector>

/// torch's meta device, whose tensors have shapes and no numbers: what torch's own C++ lacks there
/// of the operations that training uses. They refuse tensors of another device, as torch's do.
/// Included once in a program.
namespace svd::test {

inline at::Tensor meta_convolution(const at::Tensor& x, const at::Tensor& weight,
                                   const std::optional<at::Tensor>& bias, at::IntArrayRef stride,
                                   at::IntArrayRef padding, at::IntArrayRef dilation,
                                   bool transposed, at::IntArrayRef, std::int64_t) {
  TORCH_CHECK(x.is_meta() && weight.is_meta() && (!bias || !bias->defined() || bias->is_meta()),
              "convolution: tensors of two devices");
  TORCH_CHECK(!transposed);
  std::vector<std::int64_t> sizes = {x.size(0), weight.size(0)};
  for (std::size_t i = 0; i < stride.size(); ++i) {
    const auto axis = static_cast<std::int64_t>(i) + 2;
    const std::int64_t window = dilation[i] * (weight.size(axis) - 1) + 1;
    sizes.push_back((x.size(axis) + 2 * padding[i] - window) / stride[i] + 1);
  }
  return at::empty(sizes, x.options());
}

inline std::tuple<at::Tensor, at::Tensor, at::Tensor> meta_convolution_backward(
    const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& weight, at::IntArrayRef,
    at::IntArrayRef, at::IntArrayRef, bool, at::IntArrayRef, std::int64_t,
    std::array<bool, 3> wanted) {
  TORCH_CHECK(gradient.is_meta() && x.is_meta() && weight.is_meta(),
              "convolution: tensors of two devices");
  const auto like = [](bool is_wanted, const at::Tensor& tensor, at::IntArrayRef sizes) {
    return is_wanted ? at::empty(sizes, tensor.options()) : at::Tensor();
  };
  return {like(wanted[0], x, x.sizes()), like(wanted[1], weight, weight.sizes()),
          like(wanted[2], weight, {weight.size(0)})};
}

using Three = std::tuple<at::Tensor, at::Tensor, at::Tensor>;

inline void check_norm(const at::Tensor& x, const std::optional<at::Tensor>& weight,
                       const std::optional<at::Tensor>& bias) {
  TORCH_CHECK(x.is_meta() && weight->is_meta() && (!bias || bias->is_meta()),
              "norm: tensors of two devices");
}

inline Three meta_group_norm(const at::Tensor& x, const std::optional<at::Tensor>& weight,
                             const std::optional<at::Tensor>& bias, std::int64_t n, std::int64_t,
                             std::int64_t, std::int64_t groups, double) {
  check_norm(x, weight, bias);
  return {at::empty_like(x), at::empty({n, groups}, x.options()),
          at::empty({n, groups}, x.options())};
}

inline Three meta_group_norm_backward(const at::Tensor& gradient, const at::Tensor& x,
                                      const at::Tensor&, const at::Tensor&,
                                      const std::optional<at::Tensor>& weight, std::int64_t,
                                      std::int64_t, std::int64_t, std::int64_t,
                                      std::array<bool, 3>) {
  check_norm(x, weight, gradient);
  return {at::empty_like(x), at::empty_like(*weight), at::empty_like(*weight)};
}

inline Three meta_layer_norm(const at::Tensor& x, at::IntArrayRef,
                             const std::optional<at::Tensor>& weight,
                             const std::optional<at::Tensor>& bias, double) {
  check_norm(x, weight, bias);
  std::vector<std::int64_t> rows = x.sizes().vec();
  rows.back() = 1;
  return {at::empty_like(x), at::empty(rows, x.options()), at::empty(rows, x.options())};
}

inline Three meta_layer_norm_backward(const at::Tensor& gradient, const at::Tensor& x,
                                      at::IntArrayRef, const at::Tensor&, const at::Tensor&,
                                      const std::optional<at::Tensor>& weight,
                                      const std::optional<at::Tensor>&, std::array<bool, 3>) {
  check_norm(x, weight, gradient);
  return {at::empty_like(x), at::empty_like(*weight), at::empty_like(*weight)};
}

inline at::Tensor meta_safe_softmax(const at::Tensor& x, std::int64_t,
                                    std::optional<at::ScalarType>) {
  return at::empty_like(x);
}

inline at::Tensor meta_abs(const at::Tensor& x) { return at::empty_like(x); }

inline at::Tensor meta_index_select(const at::Tensor& x, std::int64_t axis,
                                    const at::Tensor& index) {
  TORCH_CHECK(x.is_meta() && index.is_meta(), "index_select: tensors of two devices");
  std::vector<std::int64_t> sizes = x.sizes().vec();
  sizes[static_cast<std::size_t>(axis)] = index.numel();
  return at::empty(sizes, x.options());
}

inline at::Tensor& meta_logical_and(const at::Tensor& a, const at::Tensor& b, at::Tensor& out) {
  TORCH_CHECK(a.is_meta() && b.is_meta() && out.is_meta(), "logical_and: tensors of two devices");
  out.resize_(a.sizes());
  return out;
}

inline at::Tensor meta_where(const at::Tensor& condition, const at::Tensor& a,
                             const at::Tensor& b) {
  const auto fits = [](const at::Tensor& x) { return x.is_meta() || x.dim() == 0; };
  TORCH_CHECK(condition.is_meta() && fits(a) && fits(b), "where: tensors of two devices");
  return at::empty(condition.sizes(), a.options().device(at::kMeta));
}

/// Every number is 1.
inline at::Scalar meta_item(const at::Tensor&) { return 1.0; }

inline void meta_adamw(at::TensorList values, at::TensorList gradients,
                       at::TensorList first_moments, at::TensorList second_moments, at::TensorList,
                       at::TensorList steps, double, double, double, double, double, bool, bool,
                       const std::optional<at::Tensor>&, const std::optional<at::Tensor>&) {
  for (const at::TensorList list : {values, gradients, first_moments, second_moments, steps})
    for (const at::Tensor& tensor : list)
      TORCH_CHECK(tensor.is_meta(), "AdamW: a tensor of another device");
}

TORCH_LIBRARY_IMPL(aten, Meta, m) {
  m.impl("logical_and.out", meta_logical_and);
  m.impl("where.self", meta_where);
  m.impl("_local_scalar_dense", meta_item);
  m.impl("_fused_adamw_", meta_adamw);
  m.impl("index_select", meta_index_select);
  m.impl("abs", meta_abs);
  m.impl("_safe_softmax", meta_safe_softmax);
  m.impl("native_group_norm", meta_group_norm);
  m.impl("native_group_norm_backward", meta_group_norm_backward);
  m.impl("native_layer_norm", meta_layer_norm);
  m.impl("native_layer_norm_backward", meta_layer_norm_backward);
  m.impl("convolution_overrideable", meta_convolution);
  m.impl("convolution_backward_overrideable", meta_convolution_backward);
}

}  // namespace svd::test
