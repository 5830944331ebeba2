#pragma once

#include <bit>
#include <cstdint>

/// For loops that are compiled for several instruction sets, chosen when the program starts. Their
/// files are compiled without fused multiply-add, so that all of them give the same bits.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define SVD_CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define SVD_CLONES
#endif

namespace svd::ops {

/// bfloat16 as its bits, converted without branches, which compilers can vectorise.
using Bits = std::uint16_t;

[[gnu::always_inline]] inline float widen(float v) { return v; }
[[gnu::always_inline]] inline float widen(Bits v) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(v) << 16);
}

template <class T>
T narrow(float v);
template <>
[[gnu::always_inline]] inline float narrow<float>(float v) {
  return v;
}
template <>
[[gnu::always_inline]] inline Bits narrow<Bits>(float v) {
  const auto bits = std::bit_cast<std::uint32_t>(v);
  const std::uint32_t nearest = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  const bool is_nan = (bits & 0x7fffffff) > 0x7f800000;
  return static_cast<Bits>(is_nan ? 0x7fc0 : nearest);
}

/// e^x with a relative error of 3e-7, without branches: 2^n times a polynomial on [-ln2/2, ln2/2].
/// Below -87 it is about 1e-38, above 88 about 2e38.
[[gnu::always_inline]] inline float exp_of(float x) {
  constexpr float kLog2E = 1.44269504f, kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number
  const float shifted = x * kLog2E + kRound;
  const float whole = shifted - kRound;
  const float f = (x - whole * kLn2High) - whole * kLn2Low;
  float y = 1.9875691500e-4f;
  y = y * f + 1.3981999507e-3f;
  y = y * f + 8.3334519073e-3f;
  y = y * f + 4.1665795894e-2f;
  y = y * f + 1.6666665459e-1f;
  y = y * f + 5.0000001201e-1f;
  y = y * f * f + f + 1.0f;
  const std::uint32_t exponent = (std::bit_cast<std::uint32_t>(shifted) & 0x3ff) << 23;
  return y * std::bit_cast<float>(exponent + (127u << 23));
}

}  // namespace svd::ops
