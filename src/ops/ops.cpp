#include "ops/ops.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/group_norm.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/lerp.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/silu.h>
#include <torch/library.h>

#include <optional>

#include "ops/dispatch.h"
#include "ops/group_norm_cpu.h"
#include "ops/schemas.h"
#include "ops/temporal_attention_cpu.h"

namespace svd::ops {
namespace {

using at::Tensor;

Tensor composite_group_norm(const Tensor& x, std::int64_t groups, const Tensor& weight,
                            const Tensor& bias, double eps, bool silu) {
  // Of channels-last input the stock operation takes inaccurate statistics on the CPU, and returns
  // the other memory format on CUDA.
  const Tensor y =
      at::group_norm(x.contiguous(), groups, weight, bias, eps, /*cudnn_enabled=*/false)
          .contiguous(at::MemoryFormat::ChannelsLast);
  return silu ? at::silu(y) : y;
}

Tensor composite_geglu(const Tensor& x) {
  const auto halves = x.chunk(2, -1);
  return at::mul(halves[0], at::gelu(halves[1]));
}

Tensor cpu_group_norm(const Tensor& x, const std::optional<Tensor>& second, std::int64_t groups,
                      const Tensor& weight, const Tensor& bias, double eps, bool silu) {
  return group_norm_cpu(x, second.value_or(Tensor()), groups, weight, bias, eps, silu);
}

Tensor cpu_geglu(const Tensor& x) {
  const auto halves = x.chunk(2, -1);
  return at::gelu(halves[1]).mul_(halves[0]);
}

template <class... T>
bool needs_gradient(const T&... inputs) {
  return at::GradMode::is_enabled() && (inputs.requires_grad() || ...);
}

/// Under autocast, activations and weights may differ.
template <class... T>
bool are_of_one_type(const Tensor& x, const T&... others) {
  return ((!others.defined() || others.scalar_type() == x.scalar_type()) && ...);
}

}  // namespace

Tensor group_norm(const Tensor& x, std::int64_t groups, const Tensor& weight, const Tensor& bias,
                  double eps, bool silu) {
  return group_norm(x, {}, groups, weight, bias, eps, silu);
}

Tensor group_norm(const Tensor& x, const Tensor& second, std::int64_t groups, const Tensor& weight,
                  const Tensor& bias, double eps, bool silu) {
  static const auto op = find_operation<GroupNorm>();
  const bool one = !second.defined();
  const bool are_pictures = x.dim() == 4 && (one || second.dim() == 4);
  const std::int64_t channels = are_pictures ? x.size(1) + (one ? 0 : second.size(1)) : 0;
  TORCH_CHECK(are_pictures && groups > 0 && channels % groups == 0,
              "group_norm: expected [N, C, h, w] with C a multiple of ", groups, ", got ",
              x.sizes());
  TORCH_CHECK(one || (second.scalar_type() == x.scalar_type() && second.size(0) == x.size(0) &&
                      second.size(2) == x.size(2) && second.size(3) == x.size(3)),
              "group_norm: sources of sizes ", x.sizes(), " and ",
              one ? at::IntArrayRef() : second.sizes(), " or their types do not go together");
  for (const Tensor* const affine : {&weight, &bias}) {
    TORCH_CHECK(affine->numel() == channels && affine->scalar_type() == x.scalar_type(),
                "group_norm: weight and bias must have the input's channels and type, ", channels,
                " of ", x.scalar_type(), ", got ", affine->numel(), " of ", affine->scalar_type());
  }
  if (needs_gradient(x, second, weight, bias) || !has_own_version(op, x)) {
    const Tensor joined = one ? x : at::cat({x, second}, 1);
    return composite_group_norm(joined, groups, weight, bias, eps, silu);
  }
  const at::AutoDispatchBelowADInplaceOrView below_autograd;
  return op.call(x, one ? std::nullopt : std::optional(second), groups, weight, bias, eps, silu);
}

Tensor geglu(const Tensor& x) {
  static const auto op = find_operation<Geglu>();
  TORCH_CHECK(x.dim() >= 1 && x.size(-1) % 2 == 0, "geglu: expected [..., 2C], got ", x.sizes());
  if (needs_gradient(x) || !has_own_version(op, x)) {
    return composite_geglu(x);
  }
  const at::AutoDispatchBelowADInplaceOrView below_autograd;
  return op.call(x);
}

SumAndNorm add_layer_norm(const Tensor& x, const Tensor& other, const Tensor& vectors,
                          const Tensor& weight, const Tensor& bias, double eps) {
  static const auto op = find_operation<AddLayerNorm>();
  TORCH_CHECK(x.dim() == 3 && (!other.defined() || other.sizes() == x.sizes()) &&
                  (!vectors.defined() || (vectors.dim() == 2 && vectors.size(0) == x.size(0) &&
                                          vectors.size(1) == x.size(2))) &&
                  weight.numel() == x.size(2) && bias.numel() == x.size(2),
              "add_layer_norm: sizes do not go together with ", x.sizes());
  if (needs_gradient(x, other, vectors, weight, bias) || !has_own_version(op, x) ||
      !fits_add_layer_norm_cuda(x.size(2)) || !are_of_one_type(x, other, vectors, weight, bias)) {
    Tensor sum = other.defined() ? x + other : x;
    if (vectors.defined()) sum = sum + vectors.unsqueeze(1);
    return {sum, at::layer_norm(sum, weight.sizes(), weight, bias, eps)};
  }
  const auto optional_of = [](const Tensor& tensor) {
    return tensor.defined() ? std::optional(tensor) : std::nullopt;
  };
  const at::AutoDispatchBelowADInplaceOrView below_autograd;
  const auto [sum, normed] =
      op.call(x, optional_of(other), optional_of(vectors), weight, bias, eps);
  return {sum, normed};
}

Tensor add_blend(const Tensor& x, const Tensor& start, const Tensor& end, double share) {
  static const auto op = find_operation<AddBlend>();
  TORCH_CHECK(x.sizes() == start.sizes() && x.sizes() == end.sizes(), "add_blend: shapes ",
              x.sizes(), start.sizes(), end.sizes(), " do not go together");
  if (needs_gradient(x, start, end) || !has_own_version(op, x) || !are_of_one_type(x, start, end))
    return x + at::lerp(start, end, share);
  const at::AutoDispatchBelowADInplaceOrView below_autograd;
  return op.call(x, start, end, share);
}

TORCH_LIBRARY(svd, m) {
  m.def(GroupNorm::kSchema);
  m.def(Geglu::kSchema);
  m.def(TemporalAttention::kSchema);
  m.def(AddLayerNorm::kSchema);  // on the CPU both come out of products' epilogues
  m.def(AddBlend::kSchema);
}

TORCH_LIBRARY_IMPL(svd, CPU, m) {
  add_version<GroupNorm>(m, cpu_group_norm);
  add_version<Geglu>(m, cpu_geglu);
  add_version<TemporalAttention>(m, temporal_attention_cpu);
}

}  // namespace svd::ops
