#include "cli/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/machine.h"
#include "svd/error.h"

namespace svd::cli {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// A folder that is removed at the end.
class Doctor : public testing::Test {
 protected:
  Doctor() { fs::create_directories(folder_); }
  ~Doctor() override { fs::remove_all(folder_); }
  const fs::path folder_ =
      fs::path(testing::TempDir()) /
      (std::string("svd_doctor_") + testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST_F(Doctor, ReadsTheFirstProcessor) {
  std::ofstream(folder_ / "cpuinfo") << "processor\t: 0\nmodel name\t: Some CPU\n"
                                        "flags\t\t: fpu avx2 avx512bw\n\n"
                                        "processor\t: 1\nmodel name\t: Another\n";
  const CpuInfo cpu = cpu_info(folder_ / "cpuinfo");
  EXPECT_EQ(cpu.name, "Some CPU");
  EXPECT_THAT(cpu.features, ElementsAre("AVX2", "AVX-512"));
}

TEST_F(Doctor, LeavesOutWhatTheSystemDoesNotSay) {
  const CpuInfo cpu = cpu_info(folder_ / "none");
  EXPECT_EQ(cpu.name, "unknown");
  EXPECT_THAT(cpu.features, IsEmpty());
  EXPECT_FALSE(folder_info(folder_ / "none").is_writable);
  EXPECT_FALSE(folder_info(folder_ / "none").free_bytes);
}

TEST_F(Doctor, TriesAFolderAndLeavesNothing) {
  const FolderInfo folder = folder_info(folder_);
  EXPECT_TRUE(folder.is_writable);
  EXPECT_GT(folder.free_bytes, 0);
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(Doctor, SaysTheSameAsTextAndAsJson) {
  DoctorOptions options;
  std::ostringstream text, lines;
  EXPECT_EQ(doctor(options, false, text), 0);
  EXPECT_EQ(doctor(options, true, lines), 0);
  EXPECT_THAT(text.str(), HasSubstr("a clip can be made"));
  const auto json = nlohmann::json::parse(lines.str());
  EXPECT_EQ(json["ready"], true);
  EXPECT_THAT(json["problems"], IsEmpty());
  EXPECT_THAT(text.str(), HasSubstr(json["cpu"]["name"].get<std::string>()));
  for (const auto& [name, number] : json["libraries"].items())
    EXPECT_THAT(text.str(), HasSubstr(number.get<std::string>())) << name;
  EXPECT_EQ(json["models"].back()["name"], "tiny");
  EXPECT_EQ(json["models"].back()["complete"], true);
}

TEST_F(Doctor, NamesAModelThatIsIncomplete) {
  fs::create_directories(folder_ / "svd" / "unet");
  DoctorOptions options;
  options.models_dir = folder_.string();
  std::ostringstream text;
  doctor(options, false, text);
  EXPECT_THAT(text.str(), HasSubstr("broken  svd "));
  EXPECT_THAT(text.str(), HasSubstr("incomplete: no unet/config.json"));
}

}  // namespace
}  // namespace svd::cli
