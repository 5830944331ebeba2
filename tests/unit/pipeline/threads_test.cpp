#include "pipeline/threads.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <thread>

namespace svd::pipeline {
namespace {

TEST(DefaultThreads, AreAtMostTheProcessors) {
  EXPECT_GE(default_threads(), 1);
  EXPECT_LE(default_threads(), int(std::thread::hardware_concurrency()));
}

TEST(DefaultThreads, FollowTheAffinityMask) {
  cpu_set_t before, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++cpu)
    if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(default_threads(), 1);
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
}

}  // namespace
}  // namespace svd::pipeline
