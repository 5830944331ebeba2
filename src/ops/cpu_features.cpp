#include "ops/cpu_features.h"

namespace svd::ops {

#ifdef __x86_64__

bool has_avx512() {
  return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
}

bool has_avx512_bfloat16() { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }

#ifdef __clang__  // clang 14 does not know the name
bool has_amx_bfloat16() { return false; }
#else
bool has_amx_bfloat16() { return __builtin_cpu_supports("amx-bf16"); }
#endif

#else

bool has_avx512() { return false; }
bool has_avx512_bfloat16() { return false; }
bool has_amx_bfloat16() { return false; }

#endif

}  // namespace svd::ops
