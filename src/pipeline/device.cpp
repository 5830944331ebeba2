#include "pipeline/device.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/SDPBackend.h>
#include <ATen/ops/_fused_sdp_choice.h>
#include <ATen/ops/empty.h>

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <optional>

#include "ops/cpu_features.h"
#include "pipeline/cpu_memory.h"
#include "pipeline/cuda_module.h"
#include "svd/error.h"

namespace svd::pipeline {
namespace {

constexpr double kGibibyte = 1024.0 * 1024.0 * 1024.0;

std::string cpu_bfloat16_feature() {
  if (ops::has_amx_bfloat16()) return "AMX BF16";
  if (ops::has_avx512_bfloat16()) return "AVX-512 BF16";
  return {};
}

c10::Device select_cuda(int ordinal) {
  const DriverState driver = query_driver();
  if (!driver.problem.empty()) {
    throw Error(ErrorKind::device, "device cuda: " + driver.problem,
                "use --device cpu; CUDA needs an NVIDIA GPU with a working driver");
  }
  const SvdCudaTable& table = load_cuda_module();
  check_module(table, driver);
  cuda_device(table, ordinal);
  if (!at::hasCUDA()) {
    throw Error(ErrorKind::internal,
                "torch was asked about CUDA before the CUDA module was loaded");
  }
  // float32 is float32: cuDNN would round convolutions' inputs to 10 bits of mantissa.
  at::globalContext().setAllowTF32CuDNN(false);
  // A clip has a few shapes of convolutions and runs them many times: worth trying algorithms out.
  at::globalContext().setBenchmarkCuDNN(true);
  return c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(ordinal));
}

// "cuda" -> 0, "cuda:3" -> 3.
std::optional<int> parse_cuda(const std::string& request) {
  if (request == "cuda") {
    return 0;
  }
  const std::string prefix = "cuda:";
  if (request.rfind(prefix, 0) != 0) {
    return std::nullopt;
  }
  int ordinal = 0;
  const char* const end = request.data() + request.size();
  const auto [stop, error] = std::from_chars(request.data() + prefix.size(), end, ordinal);
  // c10 keeps device numbers in eight bits.
  const bool good = error == std::errc() && stop == end && ordinal >= 0 && ordinal <= INT8_MAX;
  return good ? std::optional(ordinal) : std::nullopt;
}

std::string gibibytes(std::uint64_t bytes) {
  const double value = static_cast<double>(bytes) / kGibibyte;
  char text[32];
  std::snprintf(text, sizeof text, value < 10 ? "%.1f GiB" : "%.0f GiB", value);
  return text;
}

}  // namespace

c10::Device select_device(const std::string& request, std::string* reason) {
  if (request == "cpu") {
    return c10::kCPU;
  }
  if (request == "auto") {
    try {
      return select_cuda(0);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::device) throw;
      if (reason) *reason = error.what();
      return c10::kCPU;
    }
  }
  const auto ordinal = parse_cuda(request);
  if (!ordinal) {
    throw Error(ErrorKind::usage, "--device " + request + ": no such kind of device",
                "use auto, cpu, cuda or cuda:N");
  }
  return select_cuda(*ordinal);
}

Dtype resolve_dtype(Dtype dtype, const c10::Device& device) {
  if (dtype != Dtype::automatic) {
    return dtype;
  }
  if (device.is_cuda()) {
    constexpr int kAmpere = 8;
    const SvdCudaDevice properties = cuda_device(load_cuda_module(), device.index());
    return properties.major >= kAmpere ? Dtype::bfloat16 : Dtype::float16;
  }
  return cpu_bfloat16_feature().empty() ? Dtype::float32 : Dtype::bfloat16;
}

at::ScalarType scalar_type(Dtype dtype) {
  switch (dtype) {
    case Dtype::float32:
      return at::kFloat;
    case Dtype::bfloat16:
      return at::kBFloat16;
    case Dtype::float16:
      return at::kHalf;
    case Dtype::automatic:
      break;
  }
  TORCH_CHECK(false, "scalar_type: dtype is still automatic");
}

std::string describe(const c10::Device& device) {
  if (device.is_cuda()) {
    const SvdCudaDevice properties = cuda_device(load_cuda_module(), device.index());
    return std::string(properties.name) + " (sm_" + std::to_string(properties.major) +
           std::to_string(properties.minor) + ", " + gibibytes(properties.total_bytes) + ")";
  }
  const int threads = at::get_num_threads();
  const std::string feature = cpu_bfloat16_feature();
  return "CPU (" + std::to_string(threads) + (threads == 1 ? " thread" : " threads") +
         (feature.empty() ? "" : ", " + feature) + ")";
}

std::string attention_backend(const c10::Device& device, at::ScalarType dtype) {
  if (device.is_cpu()) return {};
  // The shape of the widest level: 5 heads of 64.
  const at::Tensor q = at::empty({1, 5, 64, 64}, at::TensorOptions().device(device).dtype(dtype));
  switch (static_cast<at::SDPBackend>(at::_fused_sdp_choice(q, q, q))) {
    case at::SDPBackend::cudnn_attention:
      return "cuDNN";
    case at::SDPBackend::flash_attention:
      return "flash attention";
    case at::SDPBackend::efficient_attention:
      return "memory-efficient attention";
    case at::SDPBackend::math:
      return "plain products";
    default:
      return "unknown";
  }
}

std::int64_t free_device_bytes(const c10::Device& device) {
  const SvdCudaTable& table = load_cuda_module();
  std::uint64_t free = 0, total = 0;
  if (const int error = table.memory(device.index(), &free, &total)) {
    throw Error(ErrorKind::device,
                device.str() + " does not say how much memory it has: " + table.error_text(error));
  }
  return static_cast<std::int64_t>(free);
}

std::int64_t peak_device_bytes(const c10::Device& device) {
  const SvdCudaTable& table = load_cuda_module();
  std::uint64_t bytes = 0;
  if (const int error = table.peak_memory(device.index(), &bytes)) {
    throw Error(ErrorKind::device, device.str() + " does not say how much memory was used: " +
                                       table.error_text(error));
  }
  return static_cast<std::int64_t>(bytes);
}

void empty_cache(const c10::Device& device) {
  empty_cpu_cache();
  if (device.is_cuda()) {
    const SvdCudaTable& table = load_cuda_module();
    if (const int error = table.empty_cache()) {
      throw Error(ErrorKind::device,
                  "cached memory cannot be released: " + std::string(table.error_text(error)));
    }
  }
}

}  // namespace svd::pipeline
