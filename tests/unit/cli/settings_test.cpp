#include "cli/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

#include "cli/options.h"
#include "svd/error.h"

namespace svd::cli {
namespace {

using testing::HasSubstr;

std::string write_config(const std::string& text) {
  const std::string path = testing::TempDir() + "svd-config-" +
                           testing::UnitTest::GetInstance()->current_test_info()->name() + ".json";
  std::ofstream(path) << text;
  return path;
}

Job job(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"--image", "a.png"});
  return parse_command_line(arguments).render.job;
}

std::string refusal(const std::vector<std::string>& arguments) {
  try {
    job(arguments);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what() + ("; " + error.hint());
  }
  return "accepted";
}

TEST(Settings, CommandLineOverEnvironmentOverConfigOverPreset) {
  const std::string config = write_config(R"({"steps": 5, "device": "cuda:1", "crf": 20})");
  setenv("SVD_GEN_DEVICE", "cuda:2", 1);
  const Job layered = job({"--preset", "draft", "--config", config, "--crf", "9"});
  unsetenv("SVD_GEN_DEVICE");
  EXPECT_EQ(layered.encoding.crf, 9);
  EXPECT_EQ(layered.request.device, "cuda:2");
  EXPECT_EQ(layered.request.steps, 5);
  EXPECT_EQ(layered.request.width, 512);
  const auto& values = layered.given.values();
  EXPECT_EQ(values.at("--crf").origin, "command line");
  EXPECT_EQ(values.at("--device").origin, "environment SVD_GEN_DEVICE");
  EXPECT_EQ(values.at("--steps").origin, "config " + config);
  EXPECT_EQ(values.at("--size").origin, "preset draft");
}

TEST(Settings, ReadEveryPreset) {
  EXPECT_THAT(preset_names(), testing::ElementsAre("draft", "low-memory", "quality", "standard"));
  for (const std::string& name : preset_names()) EXPECT_NO_THROW(job({"--preset", name})) << name;
}

TEST(Settings, RefuseWhatTheyDoNotKnow) {
  EXPECT_THAT(refusal({"--preset", "drafft"}), HasSubstr("did you mean draft?"));
  EXPECT_THAT(refusal({"--config", write_config(R"({"stepz": 5})")}), HasSubstr("steps"));
  EXPECT_THAT(refusal({"--config", write_config(R"({"steps": [5]})")}), HasSubstr("steps"));
  EXPECT_THAT(refusal({"--config", write_config(R"({"steps": "five"})")}),
              HasSubstr("--steps 'five'"));
  EXPECT_THAT(refusal({"--config", write_config("{")}), HasSubstr(".json"));
  EXPECT_THAT(refusal({"--config", "/none.json"}), HasSubstr("/none.json"));
}

TEST(Settings, FlagsMayBeFalse) {
  EXPECT_TRUE(job({"--config", write_config(R"({"overwrite": true})")}).overwrite);
  EXPECT_FALSE(job({"--config", write_config(R"({"overwrite": false})")}).overwrite);
}

TEST(Set, ChangesOneThing) {
  const CommandLine line = parse_command_line(
      {"replay", "x.mp4", "--set", "steps=30", "--set", "overwrite=true", "--device", "cpu"});
  const Job changed = read_job(line.replay.changes);
  EXPECT_EQ(changed.request.steps, 30);
  EXPECT_EQ(changed.request.device, "cpu");
  EXPECT_TRUE(changed.overwrite);
}

}  // namespace
}  // namespace svd::cli
