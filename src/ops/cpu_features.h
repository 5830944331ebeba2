#pragma once

/// What the CPU that runs this program can do.
namespace svd::ops {

/// AVX-512 BW, DQ and VL: from here on oneDNN packs bfloat16 weights.
bool has_avx512();

/// Those and BF16 (vdpbf16ps): what the files *_avx512.cpp are compiled for.
bool has_avx512_bfloat16();

/// Tiles that multiply bfloat16, several times faster than vdpbf16ps.
bool has_amx_bfloat16();

}  // namespace svd::ops
