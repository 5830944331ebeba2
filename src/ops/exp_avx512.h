#pragma once

#include <immintrin.h>

/// For the files that are compiled for AVX-512 alone (ops/attention_avx512.h says why they are
/// apart).
namespace svd::ops::avx512 {
namespace {

/// 2^x, below float32's range 0: a polynomial of degree 4 on [-1/2, 1/2], fitted for the least
/// relative error (3e-06, far below bfloat16's 2e-3), scaled by the whole part.
[[gnu::always_inline]] inline __m512 exp2_of(__m512 x) {
  const __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 f = _mm512_sub_ps(x, whole);
  __m512 y = _mm512_set1_ps(0.00958285069f);
  y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(0.0559064282f));
  y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(0.240240987f));
  y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(0.693124193f));
  y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(1.0f));
  return _mm512_scalef_ps(y, whole);
}

}  // namespace
}  // namespace svd::ops::avx512
