#include "ops/attention_avx512.h"

#if defined(__AVX512BF16__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && \
    defined(__AVX512VL__)

#include <immintrin.h>
#include <math.h>

#include "ops/exp_avx512.h"

/// Note: [Attention in bfloat16]
/// vdpbf16ps multiplies pairs: each 32-bit lane of the sum gets a0*b0 + a1*b1. So both products run
/// over pairs of the dimension that is summed, and the right operand is packed once per head into
/// panels whose rows are such pairs, 16 lanes to a register:
///
///     keys    panel of 64 keys   [depth/2][64 keys]     scores  = q k^T, pairs along depth
///     values  all keys           [keys/2][depth]        result  = p v,   pairs along keys
///
/// Queries are taken kQueryBlock at a time against kKeyBlock keys (their scores stay in the cache),
/// with the running maximum and sum of the online softmax (Milakov and Gimelshein 2018).
namespace svd::ops::avx512 {
namespace {

constexpr int kLanes = 16;
constexpr int kPanelKeys = 64;
constexpr int kKeyBlock = 256;
constexpr int kQueryBlock = kAttentionQueries;
constexpr int kTileRows = 6;
constexpr int kTileVectors = 4;  // 6 x 4 sums, 4 right operands and a left one: 29 of 32 registers

using Pair = std::uint32_t;  // two bfloat16

std::int64_t round_up(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }

Pair load_pair(const std::uint16_t* at) {
  Pair pair;
  __builtin_memcpy(&pair, at, sizeof pair);
  return pair;
}

// c[rows, vectors * 16] (+)= a[rows, pairs] b[pairs, vectors * 16] over pairs. Unrolled early, or
// the compiler would pass the sums through memory.
template <int rows, int vectors, bool accumulate>
void tile(const Pair* a, std::int64_t a_stride, const Pair* b, std::int64_t b_stride, float* c,
          std::int64_t c_stride, std::int64_t pairs) {
  __m512 sums[rows][vectors];
#pragma GCC unroll 8
  for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 8
    for (int j = 0; j < vectors; ++j) {
      sums[i][j] =
          accumulate ? _mm512_loadu_ps(c + i * c_stride + j * kLanes) : _mm512_setzero_ps();
    }
  }
  for (std::int64_t p = 0; p < pairs; ++p) {
    __m512i right[vectors];
#pragma GCC unroll 8
    for (int j = 0; j < vectors; ++j) {
      right[j] = _mm512_loadu_si512(b + p * b_stride + j * kLanes);
    }
#pragma GCC unroll 8
    for (int i = 0; i < rows; ++i) {
      const auto left = (__m512bh)_mm512_set1_epi32(static_cast<int>(a[i * a_stride + p]));
#pragma GCC unroll 8
      for (int j = 0; j < vectors; ++j) {
        sums[i][j] = _mm512_dpbf16_ps(sums[i][j], left, (__m512bh)right[j]);
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 8
    for (int j = 0; j < vectors; ++j) {
      _mm512_storeu_ps(c + i * c_stride + j * kLanes, sums[i][j]);
    }
  }
}

template <int vectors, bool accumulate>
void tile_of_rows(std::int64_t rows, const Pair* a, std::int64_t a_stride, const Pair* b,
                  std::int64_t b_stride, float* c, std::int64_t c_stride, std::int64_t pairs) {
  switch (rows) {
    case 1:
      return tile<1, vectors, accumulate>(a, a_stride, b, b_stride, c, c_stride, pairs);
    case 2:
      return tile<2, vectors, accumulate>(a, a_stride, b, b_stride, c, c_stride, pairs);
    case 3:
      return tile<3, vectors, accumulate>(a, a_stride, b, b_stride, c, c_stride, pairs);
    case 4:
      return tile<4, vectors, accumulate>(a, a_stride, b, b_stride, c, c_stride, pairs);
    case 5:
      return tile<5, vectors, accumulate>(a, a_stride, b, b_stride, c, c_stride, pairs);
    default:
      return tile<6, vectors, accumulate>(a, a_stride, b, b_stride, c, c_stride, pairs);
  }
}

// The same for any number of rows and vectors.
template <bool accumulate>
void multiply(std::int64_t rows, std::int64_t vectors, const Pair* a, std::int64_t a_stride,
              const Pair* b, std::int64_t b_stride, float* c, std::int64_t c_stride,
              std::int64_t pairs) {
  for (std::int64_t j = 0; j < vectors; j += kTileVectors) {
    const std::int64_t wide = vectors - j < kTileVectors ? vectors - j : kTileVectors;
    for (std::int64_t i = 0; i < rows; i += kTileRows) {
      const std::int64_t high = rows - i < kTileRows ? rows - i : kTileRows;
      const Pair* const left = a + i * a_stride;
      const Pair* const right = b + j * kLanes;
      float* const out = c + i * c_stride + j * kLanes;
      switch (wide) {
        case 1:
          tile_of_rows<1, accumulate>(high, left, a_stride, right, b_stride, out, c_stride, pairs);
          break;
        case 2:
          tile_of_rows<2, accumulate>(high, left, a_stride, right, b_stride, out, c_stride, pairs);
          break;
        case 3:
          tile_of_rows<3, accumulate>(high, left, a_stride, right, b_stride, out, c_stride, pairs);
          break;
        default:
          tile_of_rows<4, accumulate>(high, left, a_stride, right, b_stride, out, c_stride, pairs);
      }
    }
  }
}

// Stands for minus infinity: its power of two is 0, and differences of two of them are numbers.
constexpr float kLowest = -1e30f;

struct Packed {
  const Pair* keys;    // [panels][depth/2][64]
  const Pair* values;  // [keys/2][depth]
};

Packed packed_of(const void* memory, std::int64_t keys, std::int64_t depth) {
  const Pair* const first = static_cast<const Pair*>(memory);
  return {first, first + round_up(keys, kPanelKeys) * depth / 2};
}

struct Scratch {
  Pair* queries;  // [48][depth/2]
  Pair* weights;  // [48][128]
  float* scores;  // [48][256]
  float* result;  // [48][depth]
};

Scratch scratch_of(void* memory, std::int64_t depth) {
  Scratch w;
  w.queries = static_cast<Pair*>(memory);
  w.weights = w.queries + kQueryBlock * depth / 2;
  w.scores = reinterpret_cast<float*>(w.weights + kQueryBlock * kKeyBlock / 2);
  w.result = w.scores + kQueryBlock * kKeyBlock;
  return w;
}

// One block of scores [keys] of a query becomes weights in bfloat16; maximum and sum are carried
// on, and the result so far is scaled to the new maximum.
struct Running {
  float maximum;
  float sum;
};

void soften(float* scores, std::int64_t keys, std::int64_t padded, float scale, Running& running,
            Pair* weights, float* result, std::int64_t depth) {
  for (std::int64_t j = keys; j < padded; ++j) scores[j] = kLowest;
  __m512 highest = _mm512_loadu_ps(scores);
  for (std::int64_t j = kLanes; j < padded; j += kLanes) {
    highest = _mm512_max_ps(highest, _mm512_loadu_ps(scores + j));
  }
  const float block_maximum = _mm512_reduce_max_ps(highest) * scale;
  const float maximum = block_maximum > running.maximum ? block_maximum : running.maximum;
  const __m512 factor = _mm512_set1_ps(scale);
  const __m512 shift = _mm512_set1_ps(maximum);
  __m512 sum = _mm512_setzero_ps();
  for (std::int64_t j = 0; j < padded; j += 2 * kLanes) {
    const __m512 low = exp2_of(_mm512_fmsub_ps(_mm512_loadu_ps(scores + j), factor, shift));
    const __m512 high =
        exp2_of(_mm512_fmsub_ps(_mm512_loadu_ps(scores + j + kLanes), factor, shift));
    sum = _mm512_add_ps(sum, _mm512_add_ps(low, high));
    _mm512_storeu_si512(weights + j / 2, (__m512i)_mm512_cvtne2ps_pbh(high, low));
  }
  const float fade = _mm512_cvtss_f32(exp2_of(_mm512_set1_ps(running.maximum - maximum)));
  running.maximum = maximum;
  running.sum = running.sum * fade + _mm512_reduce_add_ps(sum);
  if (fade == 1.0f) return;
  const __m512 fading = _mm512_set1_ps(fade);
  for (std::int64_t d = 0; d < depth; d += kLanes) {
    _mm512_storeu_ps(result + d, _mm512_mul_ps(_mm512_loadu_ps(result + d), fading));
  }
}

void attend_block(const AttentionHead& head, const Packed& packed, const Scratch& w,
                  std::int64_t first, std::int64_t rows, float scale) {
  const std::int64_t depth_pairs = head.depth / 2;
  Running running[kQueryBlock];
  for (std::int64_t i = 0; i < rows; ++i) {
    running[i] = {kLowest, 0.0f};
    const std::uint16_t* const row = head.q + (first + i) * head.q_stride;
    for (std::int64_t p = 0; p < depth_pairs; ++p) {
      w.queries[i * depth_pairs + p] = load_pair(row + 2 * p);
    }
  }
  for (std::int64_t begin = 0; begin < head.keys; begin += kKeyBlock) {
    const std::int64_t left = head.keys - begin;
    const std::int64_t keys = left < kKeyBlock ? left : kKeyBlock;
    const std::int64_t padded = round_up(keys, kPanelKeys);
    for (std::int64_t j = 0; j < padded; j += kPanelKeys) {
      const Pair* const panel = packed.keys + (begin + j) * depth_pairs;
      multiply<false>(rows, kPanelKeys / kLanes, w.queries, depth_pairs, panel, kPanelKeys,
                      w.scores + j, kKeyBlock, depth_pairs);
    }
    for (std::int64_t i = 0; i < rows; ++i) {
      soften(w.scores + i * kKeyBlock, keys, padded, scale, running[i],
             w.weights + i * kKeyBlock / 2, w.result + i * head.depth, begin == 0 ? 0 : head.depth);
    }
    const auto add_values = begin == 0 ? multiply<false> : multiply<true>;
    add_values(rows, head.depth / kLanes, w.weights, kKeyBlock / 2,
               packed.values + begin / 2 * head.depth, head.depth, w.result, head.depth,
               padded / 2);
  }
  for (std::int64_t i = 0; i < rows; ++i) {
    const __m512 share = _mm512_set1_ps(1.0f / running[i].sum);
    std::uint16_t* const out = head.out + (first + i) * head.out_stride;
    for (std::int64_t d = 0; d < head.depth; d += kLanes) {
      const __m512 value = _mm512_mul_ps(_mm512_loadu_ps(w.result + i * head.depth + d), share);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + d), (__m256i)_mm512_cvtneps_pbh(value));
    }
  }
}

}  // namespace

std::size_t attention_packed_bytes(std::int64_t keys, std::int64_t depth) {
  return static_cast<std::size_t>(round_up(keys, kPanelKeys) * depth) * sizeof(Pair);
}

std::size_t attention_scratch_bytes(std::int64_t depth) {
  return static_cast<std::size_t>(kQueryBlock) *
         static_cast<std::size_t>(depth / 2 + kKeyBlock / 2 + kKeyBlock + depth) * sizeof(float);
}

// Keys and values beyond the last are zeros.
void pack_keys_and_values(const AttentionHead& head, void* packed) {
  const std::int64_t padded_keys = round_up(head.keys, kPanelKeys);
  Pair* const keys = static_cast<Pair*>(packed);
  Pair* const values = keys + padded_keys * head.depth / 2;
  const std::int64_t depth_pairs = head.depth / 2;
  for (std::int64_t key = 0; key < padded_keys; ++key) {
    Pair* const column = keys + key / kPanelKeys * depth_pairs * kPanelKeys + key % kPanelKeys;
    const std::uint16_t* const row = head.k + key * head.k_stride;
    for (std::int64_t p = 0; p < depth_pairs; ++p) {
      column[p * kPanelKeys] = key < head.keys ? load_pair(row + 2 * p) : 0;
    }
  }
  for (std::int64_t key = 0; key < padded_keys; key += 2) {
    Pair* const out = values + key / 2 * head.depth;
    const std::uint16_t* const first = head.v + key * head.v_stride;
    const std::uint16_t* const second = first + head.v_stride;
    for (std::int64_t d = 0; d < head.depth; d += kLanes) {
      const __m256i none = _mm256_setzero_si256();
      const __m256i low =
          key < head.keys ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(first + d)) : none;
      const __m256i high = key + 1 < head.keys
                               ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(second + d))
                               : none;
      const __m512i pairs = _mm512_or_si512(_mm512_cvtepu16_epi32(low),
                                            _mm512_slli_epi32(_mm512_cvtepu16_epi32(high), 16));
      _mm512_storeu_si512(out + d, pairs);
    }
  }
}

void attend(const AttentionHead& head, const void* packed, void* scratch, std::int64_t first,
            std::int64_t count) {
  constexpr float kLog2E = 1.44269504f;
  const float scale = kLog2E / sqrtf(static_cast<float>(head.depth));
  const Packed keys_and_values = packed_of(packed, head.keys, head.depth);
  const Scratch w = scratch_of(scratch, head.depth);
  const std::int64_t end = first + count;
  for (std::int64_t row = first; row < end; row += kQueryBlock) {
    attend_block(head, keys_and_values, w, row, end - row < kQueryBlock ? end - row : kQueryBlock,
                 scale);
  }
}

}  // namespace svd::ops::avx512

#else

// Never called: no CPU of another kind has AVX-512 BF16.
namespace svd::ops::avx512 {

std::size_t attention_packed_bytes(std::int64_t, std::int64_t) { return 0; }
std::size_t attention_scratch_bytes(std::int64_t) { return 0; }
void pack_keys_and_values(const AttentionHead&, void*) {}
void attend(const AttentionHead&, const void*, void*, std::int64_t, std::int64_t) {}

}  // namespace svd::ops::avx512

#endif
