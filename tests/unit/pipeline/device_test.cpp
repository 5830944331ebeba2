#include "pipeline/device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/version.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

#include "pipeline/cuda_module.h"
#include "support/devices.h"
#include "svd/error.h"

namespace svd::pipeline {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// The error that `action` throws; fails the test if it throws none.
Error error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error was thrown";
  return Error(ErrorKind::internal, "none");
}

// A machine with two cards, one of them too old.
SvdCudaTable two_cards() {
  SvdCudaTable table = {};
  table.abi = kSvdCudaAbi;
  table.torch_version = TORCH_VERSION;
  table.cuda_version = 13000;
  table.device_count = [](int* count) {
    *count = 2;
    return 0;
  };
  table.device = [](int ordinal, SvdCudaDevice* device) {
    *device = {};
    std::snprintf(device->name, sizeof device->name, ordinal == 0 ? "New Card" : "Old Card");
    device->major = ordinal == 0 ? 9 : 6;
    device->minor = ordinal == 0 ? 0 : 1;
    return 0;
  };
  table.error_text = [](int) { return "some reason"; };
  return table;
}

DriverState driver_for(int cuda_version) { return {cuda_version, 2, {}}; }

TEST(SelectDevice, TakesTheCpuWhenAsked) {
  EXPECT_EQ(select_device("cpu"), c10::Device(c10::kCPU));
}

TEST(SelectDevice, RefusesUnknownNames) {
  for (const char* const name : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1x", "cuda: 1",
                                 "cuda:999", "CUDA", "cpu:0"}) {
    const Error error = error_of([&] { select_device(name); });
    EXPECT_EQ(error.kind(), ErrorKind::usage) << name;
    EXPECT_THAT(error.hint(), HasSubstr("cuda:N"));
  }
}

TEST(SelectDevice, WithoutACardCudaFailsAtOnceAndAutoTakesTheCpu) {
  if (test::cuda_device_count() > 0) GTEST_SKIP() << "this machine has a card";
  const auto start = std::chrono::steady_clock::now();
  const Error error = error_of([] { select_device("cuda"); });
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(500));
  EXPECT_EQ(error.kind(), ErrorKind::device);
  EXPECT_THAT(error.what(), HasSubstr("NVIDIA driver"));
  EXPECT_THAT(error.hint(), HasSubstr("--device cpu"));

  std::string reason;
  EXPECT_EQ(select_device("auto", &reason), c10::Device(c10::kCPU));
  EXPECT_EQ(reason, error.what());
}

TEST(SelectDevice, TakesTheFirstCard) {
  if (!test::cuda_state.usable) {
    if (test::cuda_state.broken) FAIL() << test::cuda_state.why;
    GTEST_SKIP() << test::cuda_state.why;
  }
  EXPECT_EQ(select_device("auto"), c10::Device(c10::kCUDA, 0));
  EXPECT_EQ(select_device("cuda:0"), c10::Device(c10::kCUDA, 0));
  EXPECT_EQ(error_of([] { select_device("cuda:99"); }).kind(), ErrorKind::device);
  const c10::Device card(c10::kCUDA, 0);
  EXPECT_THAT(describe(card), AllOf(HasSubstr("(sm_"), HasSubstr(" GiB)")));
  EXPECT_NE(resolve_dtype(Dtype::automatic, card), Dtype::automatic);

  std::uint64_t free_bytes = 0;
  std::uint64_t total_bytes = 0;
  ASSERT_EQ(load_cuda_module().memory(0, &free_bytes, &total_bytes), 0);
  EXPECT_GT(free_bytes, 0u);
  EXPECT_LE(free_bytes, total_bytes);
  EXPECT_GE(peak_device_bytes(card), 0);
  EXPECT_NO_THROW(empty_cache(card));
}

TEST(QueryDriver, SaysWhatIsMissing) {
  EXPECT_EQ(query_driver("libsvd_no_such_driver.so.1").problem,
            "no NVIDIA driver found (libsvd_no_such_driver.so.1)");
  EXPECT_EQ(query_driver("libm.so.6").problem, "libm.so.6 is not an NVIDIA driver");
}

TEST(CheckModule, AcceptsItsOwnBuild) {
  EXPECT_NO_THROW(check_module(two_cards(), driver_for(13000)));
  EXPECT_NO_THROW(check_module(two_cards(), driver_for(13020)));
}

TEST(CheckModule, RefusesAnOlderDriver) {
  const Error error = error_of([] { check_module(two_cards(), driver_for(12040)); });
  EXPECT_EQ(error.kind(), ErrorKind::device);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("found CUDA 12.4"), HasSubstr("needed CUDA 13.0"),
                                  HasSubstr("driver 580 or newer")));
}

TEST(CheckModule, RefusesAnotherBuild) {
  SvdCudaTable table = two_cards();
  table.abi = kSvdCudaAbi + 1;
  EXPECT_THAT(error_of([&] { check_module(table, driver_for(13000)); }).what(),
              HasSubstr("interface version " + std::to_string(kSvdCudaAbi + 1)));
  table = two_cards();
  table.torch_version = "1.0.0";
  EXPECT_THAT(error_of([&] { check_module(table, driver_for(13000)); }).what(),
              AllOf(HasSubstr("libtorch 1.0.0"), HasSubstr(TORCH_VERSION)));
}

TEST(CudaDevice, FindsWhatIsThere) {
  const SvdCudaDevice device = cuda_device(two_cards(), 0);
  EXPECT_STREQ(device.name, "New Card");
  EXPECT_EQ(device.major, 9);
}

TEST(CudaDevice, NamesWhatWasFoundAndNeeded) {
  Error error = error_of([] { cuda_device(two_cards(), 2); });
  EXPECT_EQ(error.kind(), ErrorKind::device);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("cuda:2"), HasSubstr("found 2 CUDA devices")));
  EXPECT_EQ(error.hint(), "use cuda:0 to cuda:1");

  error = error_of([] { cuda_device(two_cards(), 1); });
  EXPECT_THAT(error.what(), AllOf(HasSubstr("Old Card"), HasSubstr("6.1"), HasSubstr("7.5")));

  SvdCudaTable table = two_cards();
  table.device_count = [](int*) { return 999; };
  EXPECT_THAT(error_of([&] { cuda_device(table, 0); }).what(), HasSubstr("some reason"));
}

TEST(CudaModule, IsLookedForBesideTheProgramOrWhereTheEnvironmentSays) {
  const char* const before = std::getenv("SVD_GEN_CUDA_MODULE");
  const std::string saved = before ? before : "";
  unsetenv("SVD_GEN_CUDA_MODULE");
  const auto program = std::filesystem::read_symlink("/proc/self/exe");
  const auto candidates = cuda_module_candidates();
  ASSERT_EQ(candidates.size(), 2u);
  EXPECT_EQ(candidates[0], program.parent_path() / "libsvd_cuda.so");
  EXPECT_EQ(candidates[1],
            program.parent_path().parent_path() / "lib" / "svd-gen" / "libsvd_cuda.so");

  setenv("SVD_GEN_CUDA_MODULE", "/nowhere/module.so", 1);
  EXPECT_THAT(cuda_module_candidates(), testing::ElementsAre("/nowhere/module.so"));
  before ? setenv("SVD_GEN_CUDA_MODULE", saved.c_str(), 1) : unsetenv("SVD_GEN_CUDA_MODULE");
}

// Driver and card aside: a module that is there but cannot be used is a device error with its path.
TEST(CudaModule, FailsWithTheReason) {
  if (test::cuda_state.usable) GTEST_SKIP() << "the module is loaded";
  const char* const before = std::getenv("SVD_GEN_CUDA_MODULE");
  const std::string saved = before ? before : "";
  setenv("SVD_GEN_CUDA_MODULE", "/nowhere/module.so", 1);
  const Error error = error_of([] { load_cuda_module(); });
  before ? setenv("SVD_GEN_CUDA_MODULE", saved.c_str(), 1) : unsetenv("SVD_GEN_CUDA_MODULE");
  EXPECT_EQ(error.kind(), ErrorKind::device);
  EXPECT_THAT(error.what(), HasSubstr("/nowhere/module.so"));
  EXPECT_THAT(error.hint(), HasSubstr("setup.sh --cuda"));
}

TEST(Dtype, ExplicitChoiceIsKept) {
  for (const Dtype dtype : {Dtype::float32, Dtype::bfloat16, Dtype::float16}) {
    EXPECT_EQ(resolve_dtype(dtype, c10::kCPU), dtype);
  }
}

// /proc/cpuinfo is the independent witness.
TEST(Dtype, AutomaticFollowsTheCpu) {
  std::string flags;
  if (FILE* const file = std::fopen("/proc/cpuinfo", "r")) {
    char line[8192];
    while (flags.empty() && std::fgets(line, sizeof line, file)) {
      if (std::string(line).rfind("flags", 0) == 0) flags = line;
    }
    std::fclose(file);
  }
  const bool has_bfloat16 = flags.find(" avx512_bf16") != std::string::npos ||
                            flags.find(" amx_bf16") != std::string::npos;
  EXPECT_EQ(resolve_dtype(Dtype::automatic, c10::kCPU),
            has_bfloat16 ? Dtype::bfloat16 : Dtype::float32);
  EXPECT_EQ(describe(c10::kCPU).find("BF16") != std::string::npos, has_bfloat16);
}

TEST(Dtype, MapsToTorch) {
  EXPECT_EQ(scalar_type(Dtype::float32), at::kFloat);
  EXPECT_EQ(scalar_type(Dtype::bfloat16), at::kBFloat16);
  EXPECT_EQ(scalar_type(Dtype::float16), at::kHalf);
  EXPECT_THROW(scalar_type(Dtype::automatic), c10::Error);
}

}  // namespace
}  // namespace svd::pipeline
