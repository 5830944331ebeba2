#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

#include <optional>
#include <tuple>

#include "cuda/kernels.h"
#include "ops/schemas.h"

/// CUDA versions of the operations that src/ops declares, for float32, bfloat16 and float16.
namespace svd::cuda {
namespace {

using at::Tensor;

Scalar scalar_of(const Tensor& x) {
  switch (x.scalar_type()) {
    case at::kFloat:
      return Scalar::float32;
    case at::kBFloat16:
      return Scalar::bfloat16;
    case at::kHalf:
      return Scalar::float16;
    default:
      TORCH_CHECK(false, "svd CUDA operations take float32, bfloat16 or float16, got ",
                  x.scalar_type());
  }
}

Tensor group_norm_cuda(const Tensor& input, const std::optional<Tensor>& second_input,
                       std::int64_t groups, const Tensor& weight, const Tensor& bias, double eps,
                       bool silu) {
  TORCH_CHECK(input.dim() == 4 && (!second_input || second_input->dim() == 4),
              "group_norm: expected [N, C, h, w], got ", input.sizes());
  const std::int64_t second_channels = second_input ? second_input->size(1) : 0;
  auto sizes = input.sizes().vec();
  sizes[1] += second_channels;
  TORCH_CHECK(groups > 0 && sizes[1] % groups == 0, "group_norm: ", sizes[1],
              " channels are no multiple of ", groups);
  if (second_input) {
    TORCH_CHECK(second_input->device() == input.device() &&
                    second_input->scalar_type() == input.scalar_type() &&
                    second_input->size(0) == sizes[0] && second_input->size(2) == sizes[2] &&
                    second_input->size(3) == sizes[3],
                "group_norm: both sources need the same type, device and sizes but for channels");
  }
  for (const Tensor* const affine : {&weight, &bias}) {
    TORCH_CHECK(affine->device() == input.device() &&
                    affine->scalar_type() == input.scalar_type() && affine->numel() == sizes[1],
                "group_norm: weight and bias need the input's type, device and channels");
  }
  const c10::cuda::CUDAGuard guard(input.device());
  const Tensor x = input.contiguous(at::MemoryFormat::ChannelsLast);
  const Tensor second =
      second_channels > 0 ? second_input->contiguous(at::MemoryFormat::ChannelsLast) : Tensor();
  const Tensor w = weight.contiguous();
  const Tensor b = bias.contiguous();
  Tensor y = at::empty(sizes, x.options(), at::MemoryFormat::ChannelsLast);
  if (y.numel() == 0) {
    return y;
  }
  const GroupNormShape shape{sizes[0], sizes[2] * sizes[3], sizes[1], groups, second_channels};
  const Scalar scalar = scalar_of(x);
  const Tensor workspace =
      at::empty({static_cast<std::int64_t>(group_norm_workspace_bytes(shape, scalar))},
                x.options().dtype(at::kByte));
  C10_CUDA_CHECK(group_norm(
      x.const_data_ptr(), second.defined() ? second.const_data_ptr() : nullptr, w.const_data_ptr(),
      b.const_data_ptr(), y.mutable_data_ptr(), workspace.mutable_data_ptr(), shape, eps, silu,
      scalar, c10::cuda::getCurrentCUDAStream()));
  return y;
}

Tensor geglu_cuda(const Tensor& input) {
  TORCH_CHECK(input.dim() >= 1 && input.size(-1) % 2 == 0, "geglu: expected [..., 2C], got ",
              input.sizes());
  const c10::cuda::CUDAGuard guard(input.device());
  const Tensor x = input.contiguous();
  auto sizes = x.sizes().vec();
  sizes.back() /= 2;
  Tensor y = at::empty(sizes, x.options());
  if (y.numel() == 0) {
    return y;
  }
  const std::int64_t channels = sizes.back();
  C10_CUDA_CHECK(geglu(x.const_data_ptr(), y.mutable_data_ptr(), y.numel() / channels, channels,
                       scalar_of(x), c10::cuda::getCurrentCUDAStream()));
  return y;
}

TemporalStrides strides_of(const Tensor& x) {
  return {x.stride(0), x.stride(1), x.stride(2), x.stride(3)};
}

Tensor temporal_attention_cuda(const Tensor& queries, const Tensor& keys, const Tensor& values) {
  TORCH_CHECK(queries.dim() == 5 && keys.sizes() == queries.sizes() &&
                  values.sizes() == queries.sizes() && keys.device() == queries.device() &&
                  values.device() == queries.device() &&
                  keys.scalar_type() == queries.scalar_type() &&
                  values.scalar_type() == queries.scalar_type(),
              "temporal_attention: shapes ", queries.sizes(), keys.sizes(), values.sizes(),
              " or their types do not go together");
  const auto rows = [](const Tensor& x) { return x.stride(4) == 1 ? x : x.contiguous(); };
  const c10::cuda::CUDAGuard guard(queries.device());
  const Tensor q = rows(queries), k = rows(keys), v = rows(values);
  const TemporalAttentionShape shape{q.size(0),
                                     q.size(2),
                                     q.size(3),
                                     static_cast<int>(q.size(1)),
                                     static_cast<int>(q.size(4)),
                                     strides_of(q),
                                     strides_of(k),
                                     strides_of(v)};
  TORCH_CHECK(
      shape.frames <= kMostTemporalFrames && temporal_attention_shared_bytes(shape) <= 48 * 1024,
      "temporal_attention: ", shape.frames, " frames with heads of ", shape.depth, " are too many");
  Tensor out = at::empty({q.size(0), q.size(1), q.size(2), q.size(3) * q.size(4)}, q.options());
  if (out.numel() == 0) return out;
  C10_CUDA_CHECK(temporal_attention(q.const_data_ptr(), k.const_data_ptr(), v.const_data_ptr(),
                                    out.mutable_data_ptr(), shape, scalar_of(q),
                                    c10::cuda::getCurrentCUDAStream()));
  return out;
}

// Contiguous, of the same type and device as `x`; undefined stays undefined.
Tensor beside(const Tensor& x, const std::optional<Tensor>& tensor) {
  if (!tensor) return {};
  TORCH_CHECK(tensor->device() == x.device() && tensor->scalar_type() == x.scalar_type(),
              "svd CUDA operations take tensors of one type on one device");
  return tensor->contiguous();
}

const void* data_of(const Tensor& tensor) {
  return tensor.defined() ? tensor.const_data_ptr() : nullptr;
}

std::tuple<Tensor, Tensor> add_layer_norm_cuda(const Tensor& input,
                                               const std::optional<Tensor>& other_input,
                                               const std::optional<Tensor>& vectors_input,
                                               const Tensor& weight_input, const Tensor& bias_input,
                                               double eps) {
  static_assert(ops::fits_add_layer_norm_cuda(kMostNormChannels) &&
                !ops::fits_add_layer_norm_cuda(kMostNormChannels + 1));
  TORCH_CHECK(input.dim() == 3 && ops::fits_add_layer_norm_cuda(input.size(2)),
              "add_layer_norm: expected [N, L, C], got ", input.sizes());
  const c10::cuda::CUDAGuard guard(input.device());
  const Tensor x = input.contiguous();
  const Tensor other = beside(x, other_input), vectors = beside(x, vectors_input);
  const Tensor weight = beside(x, weight_input), bias = beside(x, bias_input);
  TORCH_CHECK(weight.numel() == x.size(2) && bias.numel() == x.size(2) &&
                  (!other.defined() || other.sizes() == x.sizes()) &&
                  (!vectors.defined() || vectors.numel() == x.size(0) * x.size(2)),
              "add_layer_norm: sizes do not go together with ", x.sizes());
  Tensor sum = at::empty(x.sizes(), x.options()), normed = at::empty(x.sizes(), x.options());
  if (x.numel() == 0) return {sum, normed};
  const AddLayerNormShape shape{x.size(0) * x.size(1), x.size(2), x.size(1)};
  const AddLayerNormData data{
      data_of(x),    data_of(other),         data_of(vectors),         data_of(weight),
      data_of(bias), sum.mutable_data_ptr(), normed.mutable_data_ptr()};
  C10_CUDA_CHECK(add_layer_norm(data, shape, eps, scalar_of(x), c10::cuda::getCurrentCUDAStream()));
  return {sum, normed};
}

Tensor add_blend_cuda(const Tensor& input, const Tensor& start_input, const Tensor& end_input,
                      double share) {
  const c10::cuda::CUDAGuard guard(input.device());
  const Tensor x = input.contiguous();
  const Tensor start = beside(x, start_input), end = beside(x, end_input);
  TORCH_CHECK(start.sizes() == x.sizes() && end.sizes() == x.sizes(),
              "add_blend: sizes do not go together with ", x.sizes());
  Tensor y = at::empty(x.sizes(), x.options());
  if (y.numel() == 0) return y;
  C10_CUDA_CHECK(add_blend(data_of(x), data_of(start), data_of(end), y.mutable_data_ptr(),
                           y.numel(), share, scalar_of(x), c10::cuda::getCurrentCUDAStream()));
  return y;
}

}  // namespace

TORCH_LIBRARY_IMPL(svd, CUDA, m) {
  ops::add_version<ops::GroupNorm>(m, group_norm_cuda);
  ops::add_version<ops::Geglu>(m, geglu_cuda);
  ops::add_version<ops::TemporalAttention>(m, temporal_attention_cuda);
  ops::add_version<ops::AddLayerNorm>(m, add_layer_norm_cuda);
  ops::add_version<ops::AddBlend>(m, add_blend_cuda);
}

}  // namespace svd::cuda
