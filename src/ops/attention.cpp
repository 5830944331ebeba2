#include "ops/attention.h"

#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/stack.h>
#include <ATen/record_function.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "ops/attention_avx512.h"
#include "ops/cpu_features.h"
#include "ops/dispatch.h"
#include "ops/schemas.h"
#include "ops/temporal_attention_cpu.h"

namespace svd::ops {
namespace {

using at::Tensor;

bool needs_gradient(const Tensor& q, const Tensor& k, const Tensor& v) {
  return at::GradMode::is_enabled() &&
         (q.requires_grad() || k.requires_grad() || v.requires_grad());
}

bool is_one_kind(const Tensor& q, const Tensor& k, const Tensor& v) {
  return k.scalar_type() == q.scalar_type() && v.scalar_type() == q.scalar_type() &&
         k.device() == q.device() && v.device() == q.device();
}

// On CPUs with AMX torch's version uses it.
bool runs_own_version(const Tensor& q, const Tensor& k, const Tensor& v) {
  static const bool is_supported = has_avx512_bfloat16() && !has_amx_bfloat16();
  return is_supported && q.device().is_cpu() && q.scalar_type() == at::kBFloat16 &&
         q.size(-1) % 16 == 0 && q.stride(-1) == 1 && k.stride(-1) == 1 && v.stride(-1) == 1 &&
         k.size(1) > 0 && !needs_gradient(q, k, v);
}

// Seen by `svd-gen bench --profile-ops`: [N, heads, length, d], as torch's attention has them.
std::vector<c10::IValue> recorded(const Tensor& q, const Tensor& k, const Tensor& v) {
  return {q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)};
}

const std::uint16_t* bits(const Tensor& x, std::int64_t n, std::int64_t head) {
  return static_cast<const std::uint16_t*>(x.const_data_ptr()) + n * x.stride(0) +
         head * x.stride(2);
}

Tensor bytes(std::size_t count) { return at::empty({static_cast<std::int64_t>(count)}, at::kByte); }

// All queries of heads [begin, end) on this thread.
template <class HeadAt>
void attend_heads(const HeadAt& head_at, std::int64_t begin, std::int64_t end) {
  const avx512::AttentionHead first = head_at(begin);
  const Tensor packed = bytes(avx512::attention_packed_bytes(first.keys, first.depth));
  const Tensor scratch = bytes(avx512::attention_scratch_bytes(first.depth));
  for (std::int64_t i = begin; i < end; ++i) {
    const avx512::AttentionHead head = head_at(i);
    avx512::pack_keys_and_values(head, packed.mutable_data_ptr());
    avx512::attend(head, packed.const_data_ptr(), scratch.mutable_data_ptr(), 0, head.queries);
  }
}

// One head by all threads.
void attend_together(const avx512::AttentionHead& head) {
  const Tensor packed = bytes(avx512::attention_packed_bytes(head.keys, head.depth));
  avx512::pack_keys_and_values(head, packed.mutable_data_ptr());
  constexpr std::int64_t kBlock = avx512::kAttentionQueries;
  const std::int64_t blocks = (head.queries + kBlock - 1) / kBlock;
  at::parallel_for(0, blocks, 1, [&](std::int64_t begin, std::int64_t end) {
    const Tensor scratch = bytes(avx512::attention_scratch_bytes(head.depth));
    const std::int64_t first = begin * kBlock;
    avx512::attend(head, packed.const_data_ptr(), scratch.mutable_data_ptr(), first,
                   std::min(end * kBlock, head.queries) - first);
  });
}

Tensor attention_avx512(const Tensor& q, const Tensor& k, const Tensor& v) {
  const std::int64_t heads = q.size(2), depth = q.size(3), count = q.size(0) * heads;
  Tensor out = at::empty({q.size(0), q.size(1), heads * depth}, q.options());
  auto* const result = static_cast<std::uint16_t*>(out.mutable_data_ptr());
  const auto head_at = [&](std::int64_t i) {
    const std::int64_t n = i / heads, head = i % heads;
    return avx512::AttentionHead{.q = bits(q, n, head),
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
  };
  if (count < at::get_num_threads()) {
    for (std::int64_t i = 0; i < count; ++i) attend_together(head_at(i));
  } else {
    at::parallel_for(0, count, 1, [&](std::int64_t begin, std::int64_t end) {
      attend_heads(head_at, begin, end);
    });
  }
  return out;
}

Tensor stock_attention(const Tensor& q, const Tensor& k, const Tensor& v) {
  const Tensor out = at::scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2),
                                                      v.transpose(1, 2));  // [N, heads, L, d]
  return out.transpose(1, 2).flatten(2);
}

bool fits_own_version(const Tensor& q, const Tensor& k, const Tensor& v) {
  if (q.device().is_cpu()) return can_run_temporal_attention_cpu(q, k, v);
  return fits_temporal_attention_cuda(q.size(1), q.size(4));
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
                  q.size(2) == k.size(2) && q.size(3) == k.size(3) && is_one_kind(q, k, v),
              "attention: shapes ", q.sizes(), k.sizes(), v.sizes(),
              " or their types do not go together");
  if (!runs_own_version(q, k, v)) return stock_attention(q, k, v);
  RECORD_FUNCTION("svd::attention", recorded(q, k, v));
  return attention_avx512(q, k, v);
}

Tensor temporal_attention(const Tensor& q, const Tensor& k, const Tensor& v) {
  TORCH_CHECK(
      q.dim() == 5 && k.sizes() == q.sizes() && v.sizes() == q.sizes() && is_one_kind(q, k, v),
      "temporal_attention: shapes ", q.sizes(), k.sizes(), v.sizes(),
      " or their types do not go together");
  static const auto op = find_operation<TemporalAttention>();
  if (needs_gradient(q, k, v) || !has_own_version(op, q) || !fits_own_version(q, k, v))
    return stock_temporal_attention(q, k, v);
  const auto heads_first = [](const Tensor& x) { return x.permute({0, 2, 3, 1, 4}); };
  RECORD_FUNCTION("svd::temporal_attention",
                  std::vector<c10::IValue>({heads_first(q), heads_first(k), heads_first(v)}));
  const at::AutoDispatchBelowADInplaceOrView below_autograd;
  return op.call(q, k, v);
}

}  // namespace svd::ops
