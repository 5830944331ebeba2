#include <ATen/cuda/CUDAEvent.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>
#include <torch/version.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <optional>

#include "cuda/module_table.h"

struct SvdCudaGraph {
  at::cuda::CUDAGraph graph;
  std::optional<c10::cuda::CUDAStreamGuard> stream;  ///< while it is recorded
};

namespace {

// Outside the range of cudaError_t.
constexpr int kException = -1;

// The runtime remembers the last error; torch's next check must not find ours.
int checked(cudaError_t error) {
  if (error != cudaSuccess) {
    cudaGetLastError();
  }
  return error;
}

int driver_version(int* version) { return checked(cudaDriverGetVersion(version)); }

int device_count(int* count) {
  *count = 0;
  return checked(cudaGetDeviceCount(count));
}

int device(int ordinal, SvdCudaDevice* device) {
  cudaDeviceProp properties;
  const int error = checked(cudaGetDeviceProperties(&properties, ordinal));
  if (error == 0) {
    std::snprintf(device->name, sizeof device->name, "%s", properties.name);
    device->major = properties.major;
    device->minor = properties.minor;
    device->total_bytes = properties.totalGlobalMem;
  }
  return error;
}

int memory(int ordinal, std::uint64_t* free_bytes, std::uint64_t* total_bytes) {
  int previous = 0;
  cudaError_t error = cudaGetDevice(&previous);
  if (error == cudaSuccess) {
    error = cudaSetDevice(ordinal);
  }
  std::size_t free_size = 0;
  std::size_t total_size = 0;
  if (error == cudaSuccess) {
    error = cudaMemGetInfo(&free_size, &total_size);
    const cudaError_t restored = cudaSetDevice(previous);
    error = error == cudaSuccess ? restored : error;
  }
  *free_bytes = free_size;
  *total_bytes = total_size;
  return checked(error);
}

// What throws in torch has no code.
template <class Body>
int guarded(const Body& body) {
  try {
    body();
    return 0;
  } catch (const std::exception&) {
    cudaGetLastError();
    return kException;
  }
}

int peak_memory(int ordinal, std::uint64_t* bytes) {
  return guarded([&] {
    const auto stats =
        c10::cuda::CUDACachingAllocator::getDeviceStats(static_cast<c10::DeviceIndex>(ordinal));
    constexpr std::size_t kAllPools = 0;
    *bytes = static_cast<std::uint64_t>(stats.reserved_bytes[kAllPools].peak);
  });
}

int empty_cache() {
  return guarded([] { c10::cuda::CUDACachingAllocator::emptyCache(); });
}

int graph_begin(int ordinal, SvdCudaGraph** graph) {
  *graph = nullptr;
  auto fresh = std::make_unique<SvdCudaGraph>();
  const int error = guarded([&] {
    const auto device = static_cast<c10::DeviceIndex>(ordinal);
    // Capturing needs a stream of its own, behind what the current one still has to do.
    at::cuda::CUDAEvent before;
    before.record(c10::cuda::getCurrentCUDAStream(device));
    fresh->stream.emplace(c10::cuda::getStreamFromPool(false, device));
    before.block(fresh->stream->current_stream());
    fresh->graph.capture_begin();
  });
  if (error == 0) *graph = fresh.release();
  return error;
}

int graph_end(SvdCudaGraph* graph) {
  const int error = guarded([&] { graph->graph.capture_end(); });
  graph->stream.reset();  // the caller's stream is the current one again
  return error;
}

int graph_replay(SvdCudaGraph* graph) {
  return guarded([&] { graph->graph.replay(); });
}

void graph_destroy(SvdCudaGraph* graph) { delete graph; }

const char* error_text(int code) {
  return code == kException ? "exception inside torch"
                            : cudaGetErrorString(static_cast<cudaError_t>(code));
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const SvdCudaTable* svd_cuda_table() {
  static const SvdCudaTable table = {
      kSvdCudaAbi,  TORCH_VERSION, CUDART_VERSION, SVD_CUDA_KERNELS, driver_version,
      device_count, device,        memory,         peak_memory,      empty_cache,
      graph_begin,  graph_end,     graph_replay,   graph_destroy,    error_text};
  return &table;
}
