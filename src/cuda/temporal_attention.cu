#include "cuda/kernels.h"
#include "cuda/tile.cuh"

/// One block for a head at a position of a clip. Its keys and values, a few kilobytes, are read
/// once into shared memory; a warp takes one query after the other: its lanes stand for keys while
/// scores are computed and for channels while values are summed.
namespace svd::cuda {
namespace {

constexpr int kWarp = 32;
constexpr int kWarps = 4;
constexpr unsigned kAll = 0xffffffffu;
constexpr int kKeysPerLane = kMostTemporalFrames / kWarp;
static_assert(kMostTemporalFrames % kWarp == 0);

__device__ float warp_max(float value) {
  for (int step = kWarp / 2; step > 0; step /= 2)
    value = fmaxf(value, __shfl_xor_sync(kAll, value, step));
  return value;
}

__device__ float warp_sum(float value) {
  for (int step = kWarp / 2; step > 0; step /= 2) value += __shfl_xor_sync(kAll, value, step);
  return value;
}

template <class T>
__device__ const T* head_of(const T* data, const TemporalStrides& strides, std::int64_t clip,
                            std::int64_t position, std::int64_t head) {
  return data + clip * strides.clip + position * strides.position + head * strides.head;
}

/// rows: [frames, depth] of one head, as float32 into shared memory with `pitch` floats a row.
template <class T, int V>
__device__ void load_rows(const T* data, std::int64_t stride, int frames, int depth, float* rows,
                          int pitch) {
  const int vectors = depth / V;
  for (int i = threadIdx.x; i < frames * vectors; i += kWarps * kWarp) {
    const int frame = i / vectors, first = i % vectors * V;
    const auto pack = *reinterpret_cast<const Pack<T, V>*>(data + frame * stride + first);
#pragma unroll
    for (int c = 0; c < V; ++c) rows[frame * pitch + first + c] = to_float(pack.v[c]);
  }
}

template <class T, int V>
__global__ void __launch_bounds__(kWarps* kWarp)
    attend(const T* __restrict__ q, const T* __restrict__ k, const T* __restrict__ v,
           T* __restrict__ out, TemporalAttentionShape shape) {
  extern __shared__ float shared[];
  const int frames = shape.frames, depth = shape.depth;
  const int pitch = depth + 1;  // lanes that read a channel of neighbouring keys hit other banks
  float* const keys = shared;
  float* const values = keys + frames * pitch;
  float* const query = values + frames * depth + threadIdx.x / kWarp * depth;

  const std::int64_t head = blockIdx.x % shape.heads;
  const std::int64_t position = blockIdx.x / shape.heads % shape.positions;
  const std::int64_t clip = blockIdx.x / shape.heads / shape.positions;
  load_rows<T, V>(head_of(k, shape.k, clip, position, head), shape.k.frame, frames, depth, keys,
                  pitch);
  load_rows<T, V>(head_of(v, shape.v, clip, position, head), shape.v.frame, frames, depth, values,
                  depth);
  __syncthreads();

  const T* const queries = head_of(q, shape.q, clip, position, head);
  const float scale = rsqrtf(static_cast<float>(depth));
  const int lane = threadIdx.x % kWarp;
  for (int frame = threadIdx.x / kWarp; frame < frames; frame += kWarps) {
    for (int c = lane; c < depth; c += kWarp)
      query[c] = to_float(queries[frame * shape.q.frame + c]) * scale;
    __syncwarp();

    float weights[kKeysPerLane];
    float most = -INFINITY;
#pragma unroll
    for (int n = 0; n < kKeysPerLane; ++n) {
      const int key = lane + n * kWarp;
      weights[n] = -INFINITY;
      if (key < frames) {
        float score = 0;
        for (int c = 0; c < depth; ++c) score += query[c] * keys[key * pitch + c];
        weights[n] = score;
      }
      most = fmaxf(most, weights[n]);
    }
    most = warp_max(most);
    float total = 0;
#pragma unroll
    for (int n = 0; n < kKeysPerLane; ++n) {
      weights[n] = expf(weights[n] - most);  // 0 where there is no key
      total += weights[n];
    }
    total = warp_sum(total);

    T* const row = out +
                   ((clip * frames + frame) * shape.positions + position) * shape.heads *
                       static_cast<std::int64_t>(depth) +
                   head * depth;
    for (int first = 0; first < depth; first += kWarp) {
      const int c = first + lane;
      float sum = 0;
#pragma unroll
      for (int n = 0; n < kKeysPerLane; ++n) {
        for (int i = 0; i < kWarp && i + n * kWarp < frames; ++i) {
          const float weight = __shfl_sync(kAll, weights[n], i);
          if (c < depth) sum += weight * values[(i + n * kWarp) * depth + c];
        }
      }
      if (c < depth) row[c] = from_float<T>(sum / total);
    }
    __syncwarp();  // before the query is overwritten
  }
}

template <class T, int V>
cudaError_t launch_packed(const void* q, const void* k, const void* v, void* out,
                          const TemporalAttentionShape& shape, cudaStream_t stream) {
  const auto blocks = static_cast<unsigned>(shape.clips * shape.positions * shape.heads);
  attend<T, V><<<blocks, kWarps * kWarp, temporal_attention_shared_bytes(shape), stream>>>(
      static_cast<const T*>(q), static_cast<const T*>(k), static_cast<const T*>(v),
      static_cast<T*>(out), shape);
  return cudaGetLastError();
}

template <class T, int V>
bool are_rows_aligned(const void* data, const TemporalStrides& strides) {
  return aligned<T, V>(data, strides.clip) && strides.frame % V == 0 && strides.position % V == 0 &&
         strides.head % V == 0;
}

template <class T>
cudaError_t launch(const void* q, const void* k, const void* v, void* out,
                   const TemporalAttentionShape& shape, cudaStream_t stream) {
  constexpr int kVector = 16 / sizeof(T);
  const bool wide = shape.depth % kVector == 0 && are_rows_aligned<T, kVector>(k, shape.k) &&
                    are_rows_aligned<T, kVector>(v, shape.v);
  return wide ? launch_packed<T, kVector>(q, k, v, out, shape, stream)
              : launch_packed<T, 1>(q, k, v, out, shape, stream);
}

}  // namespace

std::size_t temporal_attention_shared_bytes(const TemporalAttentionShape& shape) {
  const std::size_t rows = 2 * static_cast<std::size_t>(shape.frames) + kWarps;
  return sizeof(float) *
         (rows * static_cast<std::size_t>(shape.depth) + static_cast<std::size_t>(shape.frames));
}

cudaError_t temporal_attention(const void* q, const void* k, const void* v, void* out,
                               const TemporalAttentionShape& shape, Scalar scalar,
                               cudaStream_t stream) {
  const auto run = scalar == Scalar::float32    ? &launch<float>
                   : scalar == Scalar::bfloat16 ? &launch<__nv_bfloat16>
                                                : &launch<__half>;
  return run(q, k, v, out, shape, stream);
}

}  // namespace svd::cuda
