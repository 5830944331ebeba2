#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "svd/request.h"

namespace svd::pipeline {

/// A device that can run: "cpu" or "cuda:N" as c10 sees it.
/// For `auto` a CUDA device is taken when a driver and a usable card are there, else the CPU; then
/// `reason`, if given, is set to why. For a CUDA device the CUDA module is loaded (before anything
/// asks torch about CUDA). Throws Error{device} with found and needed (no driver, driver too old,
/// no such ordinal, module or CUDA libraries missing), Error{usage} for anything but auto, cpu,
/// cuda, cuda:N.
c10::Device select_device(const std::string& request, std::string* reason = nullptr);

/// Fills in `automatic`: bfloat16 where the hardware has it (Ampere or newer, AVX-512 BF16 or AMX),
/// float16 on older GPUs, else float32.
Dtype resolve_dtype(Dtype dtype, const c10::Device& device);

at::ScalarType scalar_type(Dtype dtype);  ///< not for `automatic`

/// One line for people: "NVIDIA H200 (sm_90, 139 GiB)" or "CPU (2 threads, AVX-512 BF16)".
std::string describe(const c10::Device& device);

/// How torch computes attention on a CUDA device, for people; empty on the CPU.
std::string attention_backend(const c10::Device& device, at::ScalarType dtype);

/// Memory of a CUDA device that nobody has taken. Throws Error{device}.
std::int64_t free_device_bytes(const c10::Device& device);

/// Most that tensors and their cache took of a CUDA device so far. Throws Error{device}.
std::int64_t peak_device_bytes(const c10::Device& device);

/// Gives memory that is cached for tensors of the device back to the system, and that of the CPU.
void empty_cache(const c10::Device& device);

}  // namespace svd::pipeline
