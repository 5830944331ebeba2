#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "training/batches.h"
#include "weights/safetensors.h"

namespace svd::training {

namespace fs = std::filesystem;

/// The clips and losses of tests/golden/make_goldens.py (make_training), and a dataset of the
/// clips.
class ObjectiveTest : public testing::Test {
 protected:
  ObjectiveTest() {
    fs::remove_all(folder_);
    ClipCacheWriter writer(folder_);
    const at::Tensor frames = golden("frames");
    writer.add({frames[0], 2.0, 0.1, "", "", {}});  // told as 3, the least
    writer.add({frames[1], 12.5, 0.9, "", "", {}});
    writer.finish();
  }
  ~ObjectiveTest() override { fs::remove_all(folder_); }

  TrainConfig config(Stage stage) const {
    TrainConfig config;
    config.stage = stage;
    config.model = std::string(SVD_TEST_DATA) + "/golden/model";
    config.data = {folder_};
    config.batch = 2;
    return config;
  }

  static std::vector<ClipRef> both_clips(const Batches& batches) {
    return {{&batches.caches()[0], 0}, {&batches.caches()[0], 1}};
  }

  at::Tensor golden(const std::string& name) const { return golden_->tensor(*golden_->find(name)); }

 private:
  fs::path folder_ = fs::temp_directory_path() / ("svd-objective-" + std::to_string(getpid()));
  std::shared_ptr<const weights::SafetensorsFile> golden_ = weights::SafetensorsFile::open(
      std::string(SVD_TEST_DATA) + "/golden/data/training.safetensors");
};

}  // namespace svd::training
