#include "ops/attention.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/stack.h>
#include <c10/util/Exception.h>

#include <vector>

#include "ops/attention_avx512.h"
#include "ops/temporal_attention_cpu.h"

namespace svd::ops {
namespace {

using at::Tensor;

bool needs_gradient(const Tensor& q, const Tensor& k, const Tensor& v) {
  return at::GradMode::is_enabled() &&
         (q.requires_grad() || k.requires_grad() || v.requires_grad());
}

// CPUs with AMX multiply several times faster than vdpbf16ps; torch's version uses it.
bool has_amx() {
#if defined(__x86_64__) && !defined(__clang__)  // clang 14 does not know the name
  return __builtin_cpu_supports("amx-bf16");
#else
  return false;
#endif
}

bool runs_own_version(const Tensor& q, const Tensor& k, const Tensor& v) {
  static const bool is_supported = avx512::attention_is_supported() && !has_amx();
  return is_supported && q.device().is_cpu() && q.scalar_type() == at::kBFloat16 &&
         q.size(-1) % 16 == 0 && q.stride(-1) == 1 && k.stride(-1) == 1 && v.stride(-1) == 1 &&
         k.size(1) > 0 && !needs_gradient(q, k, v);
}

const std::uint16_t* bits(const Tensor& x, std::int64_t n, std::int64_t head) {
  return static_cast<const std::uint16_t*>(x.const_data_ptr()) + n * x.stride(0) +
         head * x.stride(2);
}

Tensor attention_avx512(const Tensor& q, const Tensor& k, const Tensor& v) {
  const std::int64_t pictures = q.size(0), heads = q.size(2), depth = q.size(3);
  Tensor out = at::empty({pictures, q.size(1), heads * depth}, q.options());
  auto* const result = static_cast<std::uint16_t*>(out.mutable_data_ptr());
  const std::size_t bytes = avx512::attention_workspace_bytes(k.size(1), depth);
  at::parallel_for(0, pictures * heads, 1, [&](std::int64_t begin, std::int64_t end) {
    const Tensor workspace = at::empty({static_cast<std::int64_t>(bytes)}, at::kByte);
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t n = i / heads, head = i % heads;
      const avx512::AttentionHead job = {.q = bits(q, n, head),
                                         .k = bits(k, n, head),
                                         .v = bits(v, n, head),
                                         .out = result + n * out.stride(0) + head * depth,
                                         .queries = q.size(1),
                                         .keys = k.size(1),
                                         .depth = depth,
                                         .q_stride = q.stride(1),
                                         .k_stride = k.stride(1),
                                         .v_stride = v.stride(1),
                                         .out_stride = out.stride(1)};
      avx512::attention_head(job, workspace.mutable_data_ptr());
    }
  });
  return out;
}

Tensor stock_attention(const Tensor& q, const Tensor& k, const Tensor& v) {
  const Tensor out = at::scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2),
                                                      v.transpose(1, 2));  // [N, heads, L, d]
  return out.transpose(1, 2).flatten(2);
}

// One clip at a time, positions in the place of pictures.
Tensor stock_temporal_attention(const Tensor& q, const Tensor& k, const Tensor& v) {
  std::vector<Tensor> clips;
  for (std::int64_t b = 0; b < q.size(0); ++b) {
    const auto positions_first = [b](const Tensor& x) { return x[b].transpose(0, 1); };
    clips.push_back(stock_attention(positions_first(q), positions_first(k), positions_first(v))
                        .transpose(0, 1));  // [F, positions, C]
  }
  return at::stack(clips, 0);
}

}  // namespace

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v) {
  TORCH_CHECK(q.dim() == 4 && k.sizes() == v.sizes() && q.size(0) == k.size(0) &&
                  q.size(2) == k.size(2) && q.size(3) == k.size(3),
              "attention: shapes ", q.sizes(), k.sizes(), v.sizes(), " do not go together");
  return runs_own_version(q, k, v) ? attention_avx512(q, k, v) : stock_attention(q, k, v);
}

Tensor temporal_attention(const Tensor& q, const Tensor& k, const Tensor& v) {
  TORCH_CHECK(q.dim() == 5 && k.sizes() == q.sizes() && v.sizes() == q.sizes(),
              "temporal_attention: shapes ", q.sizes(), k.sizes(), v.sizes(),
              " do not go together");
  if (can_run_temporal_attention_cpu(q, k, v) && !needs_gradient(q, k, v)) {
    return temporal_attention_cpu(q, k, v);
  }
  return stock_temporal_attention(q, k, v);
}

}  // namespace svd::ops
