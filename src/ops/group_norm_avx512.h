#pragma once

#include <cstdint>

/// The last pass of group normalisation for CPUs with AVX-512 BF16, with the rules of
/// ops/attention_avx512.h; needs ops::has_avx512_bfloat16().
namespace svd::ops::avx512 {

/// y = (x - mean) * scale + shift, all three by channel, then SiLU if `silu`. x: [rows, channels]
/// in bfloat16 as its bits; rows of y are `stride` elements apart.
void normalize(const std::uint16_t* x, const float* mean, const float* scale, const float* shift,
               bool silu, std::uint16_t* y, std::int64_t rows, std::int64_t channels,
               std::int64_t stride);

}  // namespace svd::ops::avx512
