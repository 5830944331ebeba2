#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cuda/module_table.h"

/// Finding and loading the CUDA module (src/cuda). The program itself links no CUDA library; torch
/// asks once whether there is CUDA and remembers the answer, so the module is loaded before
/// anything asks.
namespace svd::pipeline {

/// What the NVIDIA driver of this machine says. Asked without torch, in milliseconds without a
/// card.
struct DriverState {
  int cuda_version = 0;  ///< newest CUDA it can run, as 1000 * major + 10 * minor
  int device_count = 0;
  std::string problem;  ///< why no CUDA device can be used; empty if one can
};

DriverState query_driver(const char* library = "libcuda.so.1");

/// Where the module is looked for, in order: $SVD_GEN_CUDA_MODULE alone if set, else beside the
/// program and in ../lib/svd-gen.
std::vector<std::filesystem::path> cuda_module_candidates();

/// Loads libtorch_cuda and the module, once. Throws Error{device} if the module or the CUDA
/// libraries are missing or do not fit this program.
const SvdCudaTable& load_cuda_module();

/// Throws Error{device} if the table is of another version than this program, of another libtorch
/// or of a newer CUDA than the driver can run.
void check_module(const SvdCudaTable& table, const DriverState& driver);

/// Properties of a device. Throws Error{device} if there is none of that number, or if it is older
/// than compute capability 7.5, which libtorch's CUDA code starts with.
SvdCudaDevice cuda_device(const SvdCudaTable& table, int ordinal);

/// 13020 -> "13.2".
std::string cuda_version_text(int version);

}  // namespace svd::pipeline
