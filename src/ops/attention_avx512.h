#pragma once

#include <cstddef>
#include <cstdint>

/// Attention kernel for CPUs with AVX-512 BF16. Raw pointers and no header of torch or the standard
/// containers: the file is compiled for that instruction set, and an inline function shared with
/// other files could end up in a program that runs elsewhere.
namespace svd::ops::avx512 {

/// One head of one picture. Rows are `*_stride` elements apart, elements of a row adjacent.
/// bfloat16 as its bits.
struct AttentionHead {
  const std::uint16_t* q;  ///< [queries, depth]
  const std::uint16_t* k;  ///< [keys, depth]
  const std::uint16_t* v;  ///< [keys, depth]
  std::uint16_t* out;      ///< [queries, depth]
  std::int64_t queries;
  std::int64_t keys;
  std::int64_t depth;  ///< a multiple of 16
  std::int64_t q_stride, k_stride, v_stride, out_stride;
};

/// Whether this build and this CPU can run `attention_head`.
bool attention_is_supported();

/// Scratch space for a head, to be aligned to 64 bytes.
std::size_t attention_workspace_bytes(std::int64_t keys, std::int64_t depth);

/// out = softmax(q k^T / sqrt(depth)) v. Scores and sums in float32; the weights are rounded to
/// bfloat16 for the second product, as a tensor core does.
void attention_head(const AttentionHead& head, void* workspace);

}  // namespace svd::ops::avx512
