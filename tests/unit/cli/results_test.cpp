#include "cli/results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "svd/error.h"

namespace svd::cli {
namespace {

std::string fresh_path() {
  const std::string path = testing::TempDir() + "svd-results-" +
                           testing::UnitTest::GetInstance()->current_test_info()->name();
  unlink(path.c_str());
  return path;
}

std::string content(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Results, AreOneLineAClip) {
  const std::string path = fresh_path();
  Results(path).append({{"job", "a"}, {"status", "done"}});
  Results(path).append({{"job", "b"}, {"status", "failed"}});
  EXPECT_EQ(content(path),
            "{\"job\":\"a\",\"status\":\"done\"}\n{\"job\":\"b\",\"status\":\"failed\"}\n");
  EXPECT_THAT(Results::finished(path), testing::ElementsAre(testing::Pair("a", "")));
}

TEST(Results, SurviveALineThatWasCutOff) {
  const std::string path = fresh_path();
  std::ofstream(path) << "{\"job\":\"a\",\"status\":\"done\"}\n{\"job\":\"b\",\"sta";
  EXPECT_THAT(Results::finished(path), testing::ElementsAre(testing::Pair("a", "")));
  Results(path).append({{"job", "c"}, {"status", "adopted"}});
  EXPECT_THAT(Results::finished(path),
              testing::ElementsAre(testing::Pair("a", ""), testing::Pair("c", "")));
}

TEST(Results, PassOverWhatIsNotTheirs) {
  const std::string path = fresh_path();
  std::ofstream(path) << "[1]\n{\"job\":1,\"status\":\"done\"}\n{\"status\":\"done\"}\nnull\n";
  EXPECT_TRUE(Results::finished(path).empty());
  EXPECT_TRUE(Results::finished(path + ".none").empty());
}

TEST(Results, SayWhereTheyCannotBeWritten) {
  EXPECT_THROW(Results("/none/results.jsonl"), Error);
  EXPECT_THROW(Results("/dev/full").append({{"job", "a"}}), Error);
}

}  // namespace
}  // namespace svd::cli
