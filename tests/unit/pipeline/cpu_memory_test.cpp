#include "pipeline/cpu_memory.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <thread>

namespace svd::pipeline {
namespace {

constexpr std::int64_t kMebibyte = 1 << 20;

class CpuCache : public testing::Test {
 protected:
  void SetUp() override {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "not installed under the address sanitizer";
#endif
    install_cpu_cache();
    empty_cpu_cache();
  }
  void TearDown() override { empty_cpu_cache(); }

  static at::Tensor block(std::int64_t bytes) { return at::empty({bytes}, at::kByte); }
};

TEST_F(CpuCache, GivesAFreedBlockToTheNextTensorOfAboutThatSize) {
  const void* const first = block(20 * kMebibyte).const_data_ptr();
  EXPECT_EQ(block(18 * kMebibyte).const_data_ptr(), first);
  EXPECT_EQ(block(20 * kMebibyte).const_data_ptr(), first);
}

TEST_F(CpuCache, NeverGivesABlockTwice) {
  const at::Tensor first = block(20 * kMebibyte), second = block(20 * kMebibyte);
  EXPECT_NE(first.const_data_ptr(), second.const_data_ptr());
}

// A block that was kept comes back with its contents; a fresh one is zero.
TEST_F(CpuCache, ForgetsWhatIsOverItsLimitAndWhatIsEmptied) {
  const auto first_byte = [](std::int64_t bytes) {
    return *block(bytes).const_data_ptr<std::uint8_t>();
  };
  at::full({20 * kMebibyte}, 7, at::kByte);
  EXPECT_EQ(first_byte(20 * kMebibyte), 7);
  empty_cpu_cache();
  EXPECT_EQ(first_byte(20 * kMebibyte), 0);
  at::full({500 * kMebibyte}, 7, at::kByte);
  EXPECT_EQ(first_byte(500 * kMebibyte), 0);
}

TEST_F(CpuCache, TakesBlocksBackFromOtherThreads) {
  at::Tensor tensor = block(20 * kMebibyte);
  const void* const data = tensor.const_data_ptr();
  std::thread([&] { tensor.reset(); }).join();
  EXPECT_EQ(block(20 * kMebibyte).const_data_ptr(), data);
}

TEST_F(CpuCache, LeavesSmallTensorsAlone) {
  at::Tensor small = at::full({3}, 1.5, at::kFloat);
  EXPECT_EQ(small.sum().item<float>(), 4.5f);
}

}  // namespace
}  // namespace svd::pipeline
