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

/// The functions below need a CPU with ops::has_avx512_bfloat16(). Queries are best taken in
/// multiples of this number.
constexpr std::int64_t kAttentionQueries = 48;

/// Size of a head's keys and values as `attend` reads them, and of its scratch space; both are to
/// be aligned to 64 bytes.
std::size_t attention_packed_bytes(std::int64_t keys, std::int64_t depth);
std::size_t attention_scratch_bytes(std::int64_t depth);

void pack_keys_and_values(const AttentionHead& head, void* packed);

/// out = softmax(q k^T / sqrt(depth)) v for `count` queries from `first` on. Scores and sums in
/// float32; the weights are rounded to bfloat16 for the second product, as a tensor core does.
void attend(const AttentionHead& head, const void* packed, void* scratch, std::int64_t first,
            std::int64_t count);

}  // namespace svd::ops::avx512
