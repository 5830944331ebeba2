#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>
#include <cstdint>

/// Note: [Tiles]
/// All kernels read matrices [rows, channels] whose rows are contiguous. A block is `x` threads
/// wide and `y` high: a thread keeps its V neighbouring channels (16 bytes where sizes and
/// addresses allow) and walks down the rows y at a time, so that what depends on the channel alone
/// stays in registers and a warp reads consecutive memory.
///
///     grid.x = matrix * chunks + chunk        a chunk is a range of rows
///     grid.y = slab                           x * V channels
namespace svd::cuda {

constexpr int kBlockThreads = 256;

__device__ inline float to_float(float v) { return v; }
__device__ inline float to_float(__nv_bfloat16 v) { return __bfloat162float(v); }
__device__ inline float to_float(__half v) { return __half2float(v); }

template <class T>
__device__ T from_float(float v);
template <>
__device__ inline float from_float<float>(float v) {
  return v;
}
template <>
__device__ inline __nv_bfloat16 from_float<__nv_bfloat16>(float v) {
  return __float2bfloat16(v);
}
template <>
__device__ inline __half from_float<__half>(float v) {
  return __float2half(v);
}

/// V neighbouring values, moved in one access.
template <class T, int V>
struct alignas(sizeof(T) * V) Pack {
  T v[V];
};

struct Tile {
  dim3 block;
  std::int64_t vectors;     // per row
  std::int64_t slabs;       // blocks across a row
  std::int64_t chunks;      // blocks down a matrix
  std::int64_t chunk_rows;  // rows of every chunk but the last
};

inline std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Cuts `matrices` matrices of [rows, vectors] into enough blocks to fill any GPU, but not so many
/// that a thread has less than a few rows.
inline Tile make_tile(std::int64_t matrices, std::int64_t rows, std::int64_t vectors) {
  constexpr std::int64_t kWantedBlocks = 2048;
  constexpr std::int64_t kRowsPerThread = 8;
  const auto width = static_cast<unsigned>(std::min<std::int64_t>(vectors, kBlockThreads));
  const unsigned height = std::max(1u, kBlockThreads / width);
  Tile tile;
  tile.block = dim3(width, height);
  tile.vectors = vectors;
  tile.slabs = ceil_div(vectors, width);
  const std::int64_t wanted = ceil_div(kWantedBlocks, matrices * tile.slabs);
  const std::int64_t most = ceil_div(rows, kRowsPerThread * height);
  tile.chunk_rows = ceil_div(rows, std::min(wanted, most));
  tile.chunks = ceil_div(rows, tile.chunk_rows);
  return tile;
}

inline dim3 grid_of(const Tile& tile, std::int64_t matrices) {
  return dim3(static_cast<unsigned>(matrices * tile.chunks), static_cast<unsigned>(tile.slabs));
}

/// True if V values at once can be read at `pointer` and at every multiple of `stride` values
/// after.
template <class T, int V>
bool aligned(const void* pointer, std::int64_t stride) {
  return reinterpret_cast<std::uintptr_t>(pointer) % sizeof(Pack<T, V>) == 0 && stride % V == 0;
}

}  // namespace svd::cuda
