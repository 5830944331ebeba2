#include "cuda/kernels.h"
#include "cuda/tile.cuh"

namespace svd::cuda {
namespace {

template <class T, int V>
__global__ void __launch_bounds__(kBlockThreads)
    blend(const T* __restrict__ x, const T* __restrict__ from, const T* __restrict__ to,
          T* __restrict__ y, std::int64_t packs, float share) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < packs;
       i += step) {
    const auto a = reinterpret_cast<const Pack<T, V>*>(x)[i];
    const auto b = reinterpret_cast<const Pack<T, V>*>(from)[i];
    const auto c = reinterpret_cast<const Pack<T, V>*>(to)[i];
    Pack<T, V> out;
#pragma unroll
    for (int k = 0; k < V; ++k) {
      const float start = to_float(b.v[k]);
      out.v[k] = from_float<T>(to_float(a.v[k]) + start + share * (to_float(c.v[k]) - start));
    }
    reinterpret_cast<Pack<T, V>*>(y)[i] = out;
  }
}

template <class T, int V>
cudaError_t launch_packed(const void* x, const void* from, const void* to, void* y,
                          std::int64_t count, float share, cudaStream_t stream) {
  constexpr std::int64_t kMostBlocks = 4096;
  const std::int64_t packs = count / V;
  const auto blocks =
      static_cast<unsigned>(std::min(kMostBlocks, ceil_div(packs, std::int64_t{kBlockThreads})));
  blend<T, V><<<blocks, kBlockThreads, 0, stream>>>(
      static_cast<const T*>(x), static_cast<const T*>(from), static_cast<const T*>(to),
      static_cast<T*>(y), packs, share);
  return cudaGetLastError();
}

template <class T>
cudaError_t launch(const void* x, const void* from, const void* to, void* y, std::int64_t count,
                   float share, cudaStream_t stream) {
  constexpr int kVector = 16 / sizeof(T);
  const bool wide = aligned<T, kVector>(x, count) && aligned<T, kVector>(from, count) &&
                    aligned<T, kVector>(to, count) && aligned<T, kVector>(y, count);
  return wide ? launch_packed<T, kVector>(x, from, to, y, count, share, stream)
              : launch_packed<T, 1>(x, from, to, y, count, share, stream);
}

}  // namespace

cudaError_t add_blend(const void* x, const void* from, const void* to, void* y, std::int64_t count,
                      double share, Scalar scalar, cudaStream_t stream) {
  const auto run = scalar == Scalar::float32    ? &launch<float>
                   : scalar == Scalar::bfloat16 ? &launch<__nv_bfloat16>
                                                : &launch<__half>;
  return run(x, from, to, y, count, static_cast<float>(share), stream);
}

}  // namespace svd::cuda
