#pragma once

#include <ATen/core/Tensor.h>
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

/// Tests that run on the CPU and, where there is a card and the CUDA module was built, on CUDA too.
namespace svd::test {

struct CudaState {
  bool usable = false;
  bool broken = false;  ///< card and module are there but do not work: a failure, no reason to skip
  std::string why;
};

inline int cuda_device_count() {
  void* const driver = dlopen("libcuda.so.1", RTLD_NOW);
  if (!driver) return 0;
  const auto init = reinterpret_cast<int (*)(unsigned)>(dlsym(driver, "cuInit"));
  const auto get_count = reinterpret_cast<int (*)(int*)>(dlsym(driver, "cuDeviceGetCount"));
  int count = 0;
  return init && get_count && init(0) == 0 && get_count(&count) == 0 ? count : 0;
}

inline CudaState load_cuda() {
  const char* const named = std::getenv("SVD_GEN_CUDA_MODULE");
  const std::filesystem::path module =
      named ? named
            : std::filesystem::read_symlink("/proc/self/exe").parent_path() / "libsvd_cuda.so";
  // A card is expected where this is set (scripts/gpu_check.sh): nothing may be skipped there.
  const bool required = std::getenv("SVD_TEST_REQUIRE_CUDA") != nullptr;
  if (!std::filesystem::exists(module))
    return {false, required, module.string() + " was not built"};
  if (cuda_device_count() == 0) return {false, required, "no CUDA device"};
  if (!dlopen(module.c_str(), RTLD_NOW | RTLD_GLOBAL)) return {false, true, dlerror()};
  return {true, false, {}};
}

/// Loaded before the first test runs, since torch looks for CUDA only once.
inline const CudaState cuda_state = load_cuda();

/// For SetUp: skips the test where there is no card.
inline void need_cuda() {
  if (cuda_state.usable) return;
  if (cuda_state.broken) FAIL() << cuda_state.why;
  GTEST_SKIP() << cuda_state.why;
}

/// Base of suites whose parameter is "cpu" or "cuda"; `device` is what it names.
class DeviceTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (device.is_cuda()) need_cuda();
  }

  const c10::Device device{std::string(GetParam())};
};

inline auto all_devices() { return testing::Values("cpu", "cuda"); }

inline std::string device_name(const testing::TestParamInfo<const char*>& info) {
  return info.param;
}

}  // namespace svd::test
