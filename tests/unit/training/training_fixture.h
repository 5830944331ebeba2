#pragma once

#include <ATen/core/Tensor.h>
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "training/clip_cache.h"
#include "training/synth.h"
#include "training/trainer.h"
#include "weights/safetensors.h"

namespace svd::training {

namespace fs = std::filesystem;

/// A folder of its own, a dataset of two shapes in it, and runs on the goldens' small model.
class TrainingTest : public testing::Test {
 protected:
  TrainingTest() {
    folder_ = fs::temp_directory_path() / ("svd-training-" + std::to_string(getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~TrainingTest() override { fs::remove_all(folder_); }

  /// Clips of two shapes.
  fs::path dataset(int clips) {
    const fs::path data = folder_ / "data";
    ClipCacheWriter writer(data);
    for (int i = 0; i < clips; ++i) {
      SynthOptions options;
      options.frames = 3;
      options.width = i % 2 == 0 ? 64 : 128;
      options.height = 64;
      writer.add(synthesize(std::uint64_t(i), options));
    }
    writer.finish();
    return data;
  }

  TrainConfig config(Stage stage, const std::string& output) {
    TrainConfig config;
    config.stage = stage;
    config.model = std::string(SVD_TEST_DATA) + "/golden/model";
    config.output = folder_ / output;
    config.data = {folder_ / "data"};
    config.steps = 4;
    config.batch = 2;
    config.learning_rate = 1e-3;
    config.warmup_steps = 2;
    config.log_every = 1;
    config.checkpoint_every = 2;
    return config;
  }

  /// Opened at the end of a run.
  static std::shared_ptr<const weights::SafetensorsFile> checkpoint_of(const TrainConfig& config) {
    return weights::SafetensorsFile::open(config.output / "checkpoint.safetensors");
  }

  /// A tenth of the gradients of a run's only step.
  void expect_same_gradients(const TrainConfig& a, const TrainConfig& b) {
    const auto of_a = checkpoint_of(a), of_b = checkpoint_of(b);
    std::size_t compared = 0;
    for (const weights::TensorInfo& info : of_a->tensors()) {
      if (!info.name.starts_with("first_moment.")) continue;
      const at::Tensor expected = of_a->tensor(info);
      const double most = expected.abs().max().item<double>();
      const at::Tensor error = (of_b->tensor(*of_b->find(info.name)) - expected).abs().max();
      EXPECT_LE(error.item<double>(), 1e-4 * most + 1e-9) << info.name;
      if (most > 1e-6) ++compared;
    }
    EXPECT_GT(compared, 10U);
  }

  /// The golden model in a folder of its own.
  fs::path copied_model() {
    fs::copy(std::string(SVD_TEST_DATA) + "/golden/model", folder_ / "base",
             fs::copy_options::recursive);
    return folder_ / "base";
  }

  /// Losses of the steps.
  std::vector<double> run(const TrainConfig& config, bool resume = false,
                          std::stop_token stop = {}) {
    std::vector<double> losses;
    TrainHooks hooks;
    hooks.on_message = [](const std::string&) {};
    hooks.on_encoding = [](std::int64_t, std::int64_t) {};
    hooks.on_step = [&](const StepReport& report) { losses.push_back(report.loss); };
    hooks.on_checkpoint = [](std::int64_t, const fs::path&) {};
    train(config, device_, resume, hooks, std::move(stop));
    return losses;
  }

  fs::path folder_;
  c10::Device device_ = at::kCPU;
};

}  // namespace svd::training
