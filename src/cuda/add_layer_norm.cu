#include "cuda/kernels.h"
#include "cuda/tile.cuh"

/// A warp for a row, which stays in registers between its sum, its statistics and its result.
namespace svd::cuda {
namespace {

constexpr int kWarp = 32;
constexpr int kRowsPerBlock = 8;
constexpr unsigned kAll = 0xffffffffu;

__device__ float warp_sum(float value) {
  for (int step = kWarp / 2; step > 0; step /= 2) value += __shfl_xor_sync(kAll, value, step);
  return value;
}

template <class T, int V>
__device__ void add_pack(float* values, const T* data) {
  const auto pack = *reinterpret_cast<const Pack<T, V>*>(data);
#pragma unroll
  for (int i = 0; i < V; ++i) values[i] += to_float(pack.v[i]);
}

template <class T, int V>
__global__ void __launch_bounds__(kWarp* kRowsPerBlock)
    add_norm(const T* __restrict__ x, const T* __restrict__ other, const T* __restrict__ vectors,
             const T* __restrict__ weight, const T* __restrict__ bias, T* __restrict__ sum,
             T* __restrict__ normed, AddLayerNormShape shape, float eps) {
  constexpr int kPacks = kMostNormChannels / (kWarp * V);
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * kRowsPerBlock + threadIdx.y;
  if (row >= shape.rows) return;  // the whole warp
  const std::int64_t start = row * shape.channels;
  const std::int64_t vector = row / shape.rows_per_vector * shape.channels;
  const int packs = static_cast<int>(shape.channels / V);
  const int lane = threadIdx.x;

  float values[kPacks][V] = {};
  float total = 0;
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
    const int pack = lane + p * kWarp;
    if (pack >= packs) break;
    const std::int64_t at = start + pack * V;
    add_pack<T, V>(values[p], x + at);
    if (other != nullptr) add_pack<T, V>(values[p], other + at);
    if (vectors != nullptr) add_pack<T, V>(values[p], vectors + vector + pack * V);
    Pack<T, V> rounded;
#pragma unroll
    for (int i = 0; i < V; ++i) {
      rounded.v[i] = from_float<T>(values[p][i]);
      values[p][i] = to_float(rounded.v[i]);
      total += values[p][i];
    }
    *reinterpret_cast<Pack<T, V>*>(sum + at) = rounded;
  }
  const float channels = static_cast<float>(shape.channels);
  const float mean = warp_sum(total) / channels;
  float squares = 0;
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
    if (lane + p * kWarp >= packs) break;
#pragma unroll
    for (int i = 0; i < V; ++i) squares += (values[p][i] - mean) * (values[p][i] - mean);
  }
  const float scale = rsqrtf(warp_sum(squares) / channels + eps);
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
    const int pack = lane + p * kWarp;
    if (pack >= packs) break;
    const auto w = *reinterpret_cast<const Pack<T, V>*>(weight + pack * V);
    const auto b = *reinterpret_cast<const Pack<T, V>*>(bias + pack * V);
    Pack<T, V> out;
#pragma unroll
    for (int i = 0; i < V; ++i)
      out.v[i] = from_float<T>((values[p][i] - mean) * scale * to_float(w.v[i]) + to_float(b.v[i]));
    *reinterpret_cast<Pack<T, V>*>(normed + start + pack * V) = out;
  }
}

template <class T, int V>
cudaError_t launch_packed(const AddLayerNormData& data, const AddLayerNormShape& shape, float eps,
                          cudaStream_t stream) {
  const auto typed = [](const void* pointer) { return static_cast<const T*>(pointer); };
  const auto blocks = static_cast<unsigned>(ceil_div(shape.rows, kRowsPerBlock));
  add_norm<T, V><<<blocks, dim3(kWarp, kRowsPerBlock), 0, stream>>>(
      typed(data.x), typed(data.other), typed(data.vectors), typed(data.weight), typed(data.bias),
      static_cast<T*>(data.sum), static_cast<T*>(data.normed), shape, eps);
  return cudaGetLastError();
}

template <class T>
cudaError_t launch(const AddLayerNormData& data, const AddLayerNormShape& shape, float eps,
                   cudaStream_t stream) {
  constexpr int kVector = 16 / sizeof(T);
  bool wide = true;
  for (const void* pointer :
       {data.x, data.other, data.vectors, data.weight, data.bias,
        static_cast<const void*>(data.sum), static_cast<const void*>(data.normed)})
    wide = wide && aligned<T, kVector>(pointer, shape.channels);
  return wide ? launch_packed<T, kVector>(data, shape, eps, stream)
              : launch_packed<T, 1>(data, shape, eps, stream);
}

}  // namespace

cudaError_t add_layer_norm(const AddLayerNormData& data, const AddLayerNormShape& shape, double eps,
                           Scalar scalar, cudaStream_t stream) {
  const auto run = scalar == Scalar::float32    ? &launch<float>
                   : scalar == Scalar::bfloat16 ? &launch<__nv_bfloat16>
                                                : &launch<__half>;
  return run(data, shape, static_cast<float>(eps), stream);
}

}  // namespace svd::cuda
