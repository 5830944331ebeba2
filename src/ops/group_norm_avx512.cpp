#include "ops/group_norm_avx512.h"

#if defined(__AVX512BF16__) && defined(__AVX512BW__) && defined(__AVX512VL__)

#include <immintrin.h>

#include "ops/exp_avx512.h"

namespace svd::ops::avx512 {
namespace {

constexpr int kLanes = 16;

__m512 sigmoid(__m512 v) {
  // Below, the result is 0 in bfloat16, and 2^-v would overflow.
  const __m512 bounded = _mm512_max_ps(v, _mm512_set1_ps(-88.0f));
  const __m512 power = exp2_of(_mm512_mul_ps(bounded, _mm512_set1_ps(-1.44269504f)));
  const __m512 one = _mm512_set1_ps(1.0f);
  return _mm512_div_ps(one, _mm512_add_ps(one, power));
}

template <bool silu>
void normalize_rows(const std::uint16_t* x, const float* mean, const float* scale,
                    const float* shift, std::uint16_t* y, std::int64_t rows, std::int64_t channels,
                    std::int64_t stride) {
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t c = 0; c < channels; c += kLanes) {
      const std::int64_t left = channels - c;
      const auto lanes = static_cast<__mmask16>(left < kLanes ? (1u << left) - 1 : 0xffffu);
      const __m256i bits = _mm256_maskz_loadu_epi16(lanes, x + row * channels + c);
      const __m512 wide = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
      const __m512 centred = _mm512_sub_ps(wide, _mm512_maskz_loadu_ps(lanes, mean + c));
      __m512 v = _mm512_fmadd_ps(centred, _mm512_maskz_loadu_ps(lanes, scale + c),
                                 _mm512_maskz_loadu_ps(lanes, shift + c));
      if (silu) v = _mm512_mul_ps(v, sigmoid(v));
      _mm256_mask_storeu_epi16(y + row * stride + c, lanes, (__m256i)_mm512_cvtneps_pbh(v));
    }
  }
}

}  // namespace

void normalize(const std::uint16_t* x, const float* mean, const float* scale, const float* shift,
               bool silu, std::uint16_t* y, std::int64_t rows, std::int64_t channels,
               std::int64_t stride) {
  if (silu) {
    normalize_rows<true>(x, mean, scale, shift, y, rows, channels, stride);
  } else {
    normalize_rows<false>(x, mean, scale, shift, y, rows, channels, stride);
  }
}

}  // namespace svd::ops::avx512

#else

// Never called: no CPU of another kind has AVX-512 BF16.
namespace svd::ops::avx512 {

void normalize(const std::uint16_t*, const float*, const float*, const float*, bool, std::uint16_t*,
               std::int64_t, std::int64_t, std::int64_t) {}

}  // namespace svd::ops::avx512

#endif
