#include "pipeline/control_groups.h"

#include <gtest/gtest.h>

#include <fstream>

namespace svd::pipeline {
namespace {

namespace fs = std::filesystem;

std::vector<ControlGroups> groups_of(const std::string& controller, const std::string& text) {
  const std::string test = testing::UnitTest::GetInstance()->current_test_info()->name();
  const fs::path file = fs::path(testing::TempDir()) / ("svd_membership_" + test);
  std::ofstream(file) << text;
  return control_groups(controller, file, "/mount");
}

TEST(ControlGroups, GoUpFromTheProcessesOwn) {
  const auto groups = groups_of("memory", "0::/user.slice/session.scope\n");
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].version, 2);
  EXPECT_EQ(groups[0].folders, (std::vector<fs::path>{"/mount/user.slice/session.scope",
                                                      "/mount/user.slice", "/mount"}));
}

TEST(ControlGroups, ReadVersion1ByController) {
  const std::string text = "5:cpu,cpuacct:/jobs/7\n4:memory:/\n1:name=systemd:/x\n";
  const auto cpu = groups_of("cpu", text);
  ASSERT_EQ(cpu.size(), 1u);
  EXPECT_EQ(cpu[0].version, 1);
  EXPECT_EQ(cpu[0].folders,
            (std::vector<fs::path>{"/mount/cpu/jobs/7", "/mount/cpu/jobs", "/mount/cpu"}));
  const auto memory = groups_of("memory", text);
  ASSERT_EQ(memory.size(), 1u);
  EXPECT_EQ(memory[0].folders, (std::vector<fs::path>{"/mount/memory"}));
}

TEST(ControlGroups, AreNoneWhereTheSystemHasNone) {
  EXPECT_TRUE(groups_of("memory", "").empty());
  EXPECT_TRUE(groups_of("memory", "nonsense\n").empty());
}

}  // namespace
}  // namespace svd::pipeline
