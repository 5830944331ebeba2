#pragma once

#include <cstdint>

/// The border between the program and its CUDA module (libsvd_cuda.so): one C function that returns
/// one table. No exception crosses it, and this header knows neither torch nor CUDA.
extern "C" {

/// Raised whenever the layout or the meaning of the table changes.
inline constexpr std::uint32_t kSvdCudaAbi = 3;

struct SvdCudaDevice {
  char name[256];
  int major;  ///< compute capability
  int minor;
  std::uint64_t total_bytes;
};

/// A recorded sequence of kernels.
struct SvdCudaGraph;

/// Functions return 0, or else an error code that `error_text` turns into words.
struct SvdCudaTable {
  std::uint32_t abi;
  const char* torch_version;  ///< libtorch that the module was built against, for example "2.11.0"
  int cuda_version;           ///< toolkit of that build as 1000 * major + 10 * minor
  int has_kernels;            ///< 0: built without nvcc, operations fall back to stock ones

  int (*driver_version)(int* version);  ///< newest CUDA the driver can run, same encoding
  int (*device_count)(int* count);
  int (*device)(int ordinal, SvdCudaDevice* device);
  int (*memory)(int ordinal, std::uint64_t* free_bytes, std::uint64_t* total_bytes);
  /// Most that torch's allocator held of a device so far.
  int (*peak_memory)(int ordinal, std::uint64_t* bytes);
  int (*empty_cache)();  ///< returns unused cached memory of all devices to the driver

  /// From here to `graph_end` the calling thread's work on a device is recorded and not computed.
  /// `graph` is set to null on failure.
  int (*graph_begin)(int ordinal, SvdCudaGraph** graph);
  int (*graph_end)(SvdCudaGraph* graph);
  int (*graph_replay)(SvdCudaGraph* graph);    ///< on the current stream
  void (*graph_destroy)(SvdCudaGraph* graph);  ///< null: nothing happens

  const char* (*error_text)(int code);
};

/// The table, alive as long as the module. The signature of symbol "svd_cuda_table".
using SvdCudaTableFunction = const SvdCudaTable*();
}
