#include "training/train_config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace svd::training {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

/// Another value than `value` that its key allows.
ordered_json other_than(const std::string& key, const ordered_json& value) {
  if (key == "motions") return {"zoom_in"};
  if (key == "samples") return {"in.png"};
  if (value.is_boolean()) return !value.get<bool>();
  if (value.is_number_integer() || value.is_number_unsigned()) return value.get<int>() + 1;
  if (value.is_number()) return value.get<double>() / 2 + 0.01;
  return {{"p_mean", 2.5}, {"p_std", 0.25}};
}

TEST(TrainConfig, EveryKeyIsRead) {
  const fs::path path =
      fs::temp_directory_path() / ("svd-train-config-" + std::to_string(getpid()) + ".json");
  const ordered_json defaults = to_json(TrainConfig{});
  for (const auto& [key, value] : defaults.items()) {
    if (key == "stage" || key == "model" || key == "output" || key == "data") continue;
    SCOPED_TRACE(key);
    std::string stage = "lora";
    if (key == "temporal_only") stage = "video";
    if (key == "crop" || key == "kl_weight" || key == "gradient_weight" || key == "block_weight")
      stage = "vae_image";
    const ordered_json other = other_than(key, value);
    ordered_json file = {{"stage", stage}, {"model", "m"}, {"output", "o"}, {"data", {"d"}}};
    file[key] = other;
    std::ofstream(path) << file;
    const ordered_json read = to_json(read_train_config(path));
    EXPECT_EQ(read[key], other);
    EXPECT_EQ(read["stage"], stage);
  }
  fs::remove(path);
}

}  // namespace
}  // namespace svd::training
