#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "svd/version.h"

namespace svd {
namespace {

using testing::ContainsRegex;

TEST(BuildInfo, NamesVersionCommitBuildTypeAndCompiler) {
  EXPECT_THAT(version(), ContainsRegex("^[0-9]+\\.[0-9]+\\.[0-9]+$"));
  const std::string text = build_description();
  EXPECT_EQ(text.rfind(std::string("svd-gen ") + version() + "\n", 0), 0u) << text;
  EXPECT_THAT(text, ContainsRegex("\ncommit +([0-9a-f]{12}(-dirty)?|unknown)\n"));
  EXPECT_THAT(text, ContainsRegex("\nbuild type +[A-Za-z]+\n"));
  EXPECT_THAT(text, ContainsRegex("\ncompiler +[A-Za-z]+ [0-9]+\\.[0-9.]+\n"));
}

}  // namespace
}  // namespace svd
