#include "cuda/kernels.h"
#include "cuda/tile.cuh"

/// Three passes: mean and squared deviation of every channel in every chunk, their combination to a
/// mean and a reciprocal deviation per group, and the normalisation itself. Welford's and Chan's
/// formulas keep float32 accurate where the mean is large against the spread; sums are taken in a
/// fixed order, without atomics, so a result repeats bit for bit. A thread's channels come from one
/// of the two sources; from the combination on it does not matter which.
namespace svd::cuda {
namespace {

struct Moments {
  float mean;
  float squares;  // sum of squared deviations from the mean
  float count;
};

__device__ Moments combine(const Moments& a, const Moments& b) {
  if (b.count == 0) return a;
  if (a.count == 0) return b;
  const float count = a.count + b.count;
  const float share = b.count / count;
  const float delta = b.mean - a.mean;
  return {a.mean + delta * share, a.squares + b.squares + delta * delta * a.count * share, count};
}

struct Partials {
  float* mean;     // [pictures, chunks, channels]
  float* squares;  // same
};

template <class T>
struct Columns {
  const T* data;
  std::int64_t stride;  // between rows
};

/// A picture's columns from `channel` of the result on, in the source that has them.
template <class T>
__device__ Columns<T> columns_of(const T* x, const T* second, const GroupNormShape& shape,
                                 std::int64_t picture, std::int64_t channel) {
  const std::int64_t first_channels = shape.channels - shape.second_channels;
  const std::int64_t row = picture * shape.rows;
  return channel < first_channels
             ? Columns<T>{x + row * first_channels + channel, first_channels}
             : Columns<T>{second + row * shape.second_channels + (channel - first_channels),
                          shape.second_channels};
}

template <class T, int V>
__global__ void __launch_bounds__(kBlockThreads)
    chunk_moments(const T* __restrict__ x, const T* __restrict__ second, Partials out,
                  GroupNormShape shape, Tile tile) {
  __shared__ float means[kBlockThreads * V];
  __shared__ float squares[kBlockThreads * V];

  const std::int64_t picture = blockIdx.x / tile.chunks;
  const std::int64_t chunk = blockIdx.x % tile.chunks;
  const std::int64_t vector = static_cast<std::int64_t>(blockIdx.y) * blockDim.x + threadIdx.x;
  const std::int64_t first = chunk * tile.chunk_rows;
  const std::int64_t last =
      first + tile.chunk_rows < shape.rows ? first + tile.chunk_rows : shape.rows;
  const int slot = (threadIdx.y * blockDim.x + threadIdx.x) * V;

  float mean[V] = {};
  float square[V] = {};
  float count = 0;
  if (vector < tile.vectors) {
    const Columns<T> in = columns_of(x, second, shape, picture, vector * V);
    for (std::int64_t row = first + threadIdx.y; row < last; row += blockDim.y) {
      const auto pack = *reinterpret_cast<const Pack<T, V>*>(in.data + row * in.stride);
      count += 1;
      const float share = 1 / count;
#pragma unroll
      for (int i = 0; i < V; ++i) {
        const float value = to_float(pack.v[i]);
        const float delta = value - mean[i];
        mean[i] += delta * share;
        square[i] += delta * (value - mean[i]);
      }
    }
  }
#pragma unroll
  for (int i = 0; i < V; ++i) {
    means[slot + i] = mean[i];
    squares[slot + i] = square[i];
  }
  __syncthreads();

  // One thread a channel goes through the block's rows of threads.
  const int width = blockDim.x * V;
  const std::int64_t slab = static_cast<std::int64_t>(blockIdx.y) * width;
  const std::int64_t out_row = static_cast<std::int64_t>(blockIdx.x) * shape.channels;
  const int thread = threadIdx.y * blockDim.x + threadIdx.x;
  for (int c = thread; c < width && slab + c < shape.channels; c += blockDim.x * blockDim.y) {
    Moments total = {0, 0, 0};
    for (int y = 0; y < static_cast<int>(blockDim.y); ++y) {
      const std::int64_t left = last - first - y;
      const float rows = left > 0 ? static_cast<float>((left + blockDim.y - 1) / blockDim.y) : 0.f;
      total = combine(total, {means[y * width + c], squares[y * width + c], rows});
    }
    out.mean[out_row + slab + c] = total.mean;
    out.squares[out_row + slab + c] = total.squares;
  }
}

constexpr int kGroupThreads = 128;

/// One block a group: stats [pictures, groups, 2] = (mean, 1 / sqrt(variance + eps)).
__global__ void __launch_bounds__(kGroupThreads)
    group_moments(Partials in, float* __restrict__ stats, GroupNormShape shape, Tile tile,
                  float eps) {
  __shared__ Moments shared[kGroupThreads];
  const std::int64_t picture = blockIdx.x / shape.groups;
  const std::int64_t group = blockIdx.x % shape.groups;
  const std::int64_t width = shape.channels / shape.groups;

  Moments total = {0, 0, 0};
  for (std::int64_t i = threadIdx.x; i < tile.chunks * width; i += kGroupThreads) {
    const std::int64_t chunk = i / width;
    const std::int64_t left = shape.rows - chunk * tile.chunk_rows;
    const auto rows = static_cast<float>(left < tile.chunk_rows ? left : tile.chunk_rows);
    const std::int64_t at =
        (picture * tile.chunks + chunk) * shape.channels + group * width + i % width;
    total = combine(total, {in.mean[at], in.squares[at], rows});
  }
  shared[threadIdx.x] = total;
  __syncthreads();
  for (int half = kGroupThreads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) {
      shared[threadIdx.x] = combine(shared[threadIdx.x], shared[threadIdx.x + half]);
    }
    __syncthreads();
  }
  if (threadIdx.x == 0) {
    const float variance = shared[0].squares / shared[0].count;
    stats[2 * static_cast<std::int64_t>(blockIdx.x)] = shared[0].mean;
    stats[2 * static_cast<std::int64_t>(blockIdx.x) + 1] = 1 / sqrtf(variance + eps);
  }
}

template <class T, int V, bool Silu>
__global__ void __launch_bounds__(kBlockThreads)
    normalize(const T* __restrict__ x, const T* __restrict__ second,
              const float* __restrict__ stats, const T* __restrict__ weight,
              const T* __restrict__ bias, T* __restrict__ y, GroupNormShape shape, Tile tile) {
  const std::int64_t picture = blockIdx.x / tile.chunks;
  const std::int64_t chunk = blockIdx.x % tile.chunks;
  const std::int64_t vector = static_cast<std::int64_t>(blockIdx.y) * blockDim.x + threadIdx.x;
  if (vector >= tile.vectors) return;
  const std::int64_t first = chunk * tile.chunk_rows;
  const std::int64_t last =
      first + tile.chunk_rows < shape.rows ? first + tile.chunk_rows : shape.rows;
  const std::int64_t width = shape.channels / shape.groups;

  float mean[V];
  float scale[V];
  float shift[V];
#pragma unroll
  for (int i = 0; i < V; ++i) {
    const std::int64_t channel = vector * V + i;
    const std::int64_t group = 2 * (picture * shape.groups + channel / width);
    mean[i] = stats[group];
    scale[i] = stats[group + 1] * to_float(weight[channel]);
    shift[i] = to_float(bias[channel]);
  }
  const Columns<T> in = columns_of(x, second, shape, picture, vector * V);
  T* const columns = y + picture * shape.rows * shape.channels + vector * V;
#pragma unroll 4
  for (std::int64_t row = first + threadIdx.y; row < last; row += blockDim.y) {
    const auto pack = *reinterpret_cast<const Pack<T, V>*>(in.data + row * in.stride);
    Pack<T, V> out;
#pragma unroll
    for (int i = 0; i < V; ++i) {
      const float value = (to_float(pack.v[i]) - mean[i]) * scale[i] + shift[i];
      out.v[i] = from_float<T>(Silu ? value / (1 + expf(-value)) : value);
    }
    *reinterpret_cast<Pack<T, V>*>(columns + row * shape.channels) = out;
  }
}

template <class T, int V>
cudaError_t launch_packed(const T* x, const T* second, const T* weight, const T* bias, T* y,
                          float* workspace, const GroupNormShape& shape, float eps, bool silu,
                          cudaStream_t stream) {
  const Tile tile = make_tile(shape.pictures, shape.rows, shape.channels / V);
  const dim3 grid = grid_of(tile, shape.pictures);
  const std::int64_t partials = shape.pictures * tile.chunks * shape.channels;
  const Partials scratch = {workspace, workspace + partials};
  float* const stats = workspace + 2 * partials;
  const auto groups = static_cast<unsigned>(shape.pictures * shape.groups);

  chunk_moments<T, V><<<grid, tile.block, 0, stream>>>(x, second, scratch, shape, tile);
  group_moments<<<groups, kGroupThreads, 0, stream>>>(scratch, stats, shape, tile, eps);
  if (silu) {
    normalize<T, V, true>
        <<<grid, tile.block, 0, stream>>>(x, second, stats, weight, bias, y, shape, tile);
  } else {
    normalize<T, V, false>
        <<<grid, tile.block, 0, stream>>>(x, second, stats, weight, bias, y, shape, tile);
  }
  return cudaGetLastError();
}

template <class T>
cudaError_t launch(const void* x, const void* second, const void* weight, const void* bias, void* y,
                   void* workspace, const GroupNormShape& shape, double eps, bool silu,
                   cudaStream_t stream) {
  constexpr int kVector = 16 / sizeof(T);
  const bool wide = aligned<T, kVector>(x, shape.channels - shape.second_channels) &&
                    aligned<T, kVector>(second, shape.second_channels) &&
                    aligned<T, kVector>(y, shape.channels);
  const auto run = wide ? &launch_packed<T, kVector> : &launch_packed<T, 1>;
  return run(static_cast<const T*>(x), static_cast<const T*>(second), static_cast<const T*>(weight),
             static_cast<const T*>(bias), static_cast<T*>(y), static_cast<float*>(workspace), shape,
             static_cast<float>(eps), silu, stream);
}

std::size_t workspace_floats(const GroupNormShape& shape, std::int64_t vector) {
  const Tile tile = make_tile(shape.pictures, shape.rows, ceil_div(shape.channels, vector));
  return static_cast<std::size_t>(2 * shape.pictures *
                                  (tile.chunks * shape.channels + shape.groups));
}

}  // namespace

std::size_t group_norm_workspace_bytes(const GroupNormShape& shape, Scalar scalar) {
  const std::int64_t vector = scalar == Scalar::float32 ? 4 : 8;
  // Which of the two is launched depends on addresses that are not known here.
  return sizeof(float) * std::max(workspace_floats(shape, vector), workspace_floats(shape, 1));
}

cudaError_t group_norm(const void* x, const void* second, const void* weight, const void* bias,
                       void* y, void* workspace, const GroupNormShape& shape, double eps, bool silu,
                       Scalar scalar, cudaStream_t stream) {
  const auto run = scalar == Scalar::float32    ? &launch<float>
                   : scalar == Scalar::bfloat16 ? &launch<__nv_bfloat16>
                                                : &launch<__half>;
  return run(x, second, weight, bias, y, workspace, shape, eps, silu, stream);
}

}  // namespace svd::cuda
