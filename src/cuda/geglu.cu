#include "cuda/kernels.h"
#include "cuda/tile.cuh"

namespace svd::cuda {
namespace {

template <class T, int V>
__global__ void __launch_bounds__(kBlockThreads)
    gate(const T* __restrict__ x, T* __restrict__ y, std::int64_t rows, std::int64_t channels,
         Tile tile) {
  constexpr float kSqrtHalf = 0.70710678118654752f;
  const std::int64_t vector = static_cast<std::int64_t>(blockIdx.y) * blockDim.x + threadIdx.x;
  if (vector >= tile.vectors) return;
  const std::int64_t first = blockIdx.x * tile.chunk_rows;
  const std::int64_t last = first + tile.chunk_rows < rows ? first + tile.chunk_rows : rows;
#pragma unroll 4
  for (std::int64_t row = first + threadIdx.y; row < last; row += blockDim.y) {
    const T* const in = x + row * 2 * channels + vector * V;
    const auto value = *reinterpret_cast<const Pack<T, V>*>(in);
    const auto gates = *reinterpret_cast<const Pack<T, V>*>(in + channels);
    Pack<T, V> out;
#pragma unroll
    for (int i = 0; i < V; ++i) {
      const float g = to_float(gates.v[i]);
      out.v[i] = from_float<T>(to_float(value.v[i]) * (0.5f * g * (1 + erff(g * kSqrtHalf))));
    }
    *reinterpret_cast<Pack<T, V>*>(y + row * channels + vector * V) = out;
  }
}

template <class T, int V>
cudaError_t launch_packed(const void* x, void* y, std::int64_t rows, std::int64_t channels,
                          cudaStream_t stream) {
  const Tile tile = make_tile(1, rows, channels / V);
  gate<T, V><<<grid_of(tile, 1), tile.block, 0, stream>>>(static_cast<const T*>(x),
                                                          static_cast<T*>(y), rows, channels, tile);
  return cudaGetLastError();
}

template <class T>
cudaError_t launch(const void* x, void* y, std::int64_t rows, std::int64_t channels,
                   cudaStream_t stream) {
  constexpr int kVector = 16 / sizeof(T);
  const bool wide = aligned<T, kVector>(x, channels) && aligned<T, kVector>(y, channels);
  return wide ? launch_packed<T, kVector>(x, y, rows, channels, stream)
              : launch_packed<T, 1>(x, y, rows, channels, stream);
}

}  // namespace

cudaError_t geglu(const void* x, void* y, std::int64_t rows, std::int64_t channels, Scalar scalar,
                  cudaStream_t stream) {
  const auto run = scalar == Scalar::float32    ? &launch<float>
                   : scalar == Scalar::bfloat16 ? &launch<__nv_bfloat16>
                                                : &launch<__half>;
  return run(x, y, rows, channels, stream);
}

}  // namespace svd::cuda
