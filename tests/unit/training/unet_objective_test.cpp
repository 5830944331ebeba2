// The UNet's losses against those that tests/golden/make_goldens.py (make_training) computes with
// diffusers, random numbers included.

#include "training/unet_objective.h"

#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "training/batches.h"
#include "weights/safetensors.h"

namespace svd::training {
namespace {

namespace fs = std::filesystem;
const std::string kGolden = std::string(SVD_TEST_DATA) + "/golden/";

class UNetObjectiveTest : public testing::Test {
 protected:
  UNetObjectiveTest() {
    fs::remove_all(folder_);
    ClipCacheWriter writer(folder_);
    const at::Tensor frames = golden_->tensor(*golden_->find("frames"));
    writer.add({frames[0], 2.0, 0.1, "", "", {}});  // told as 3, the least
    writer.add({frames[1], 12.5, 0.9, "", "", {}});
    writer.finish();
  }
  ~UNetObjectiveTest() override { fs::remove_all(folder_); }

  void expect_golden(Stage stage, std::uint64_t seed, double dropout) {
    const std::string name = std::string("loss_") + to_string(stage) + "_" + std::to_string(seed);
    SCOPED_TRACE(name);
    TrainConfig config;
    config.stage = stage;
    config.model = kGolden + "model";
    config.data = {folder_};
    config.batch = 2;
    config.dropout = dropout;
    Batches batches(config);
    UNetObjective objective(config, batches.caches(), at::kCPU, [](std::int64_t, std::int64_t) {});
    const std::vector<ClipRef> clips = {{&batches.caches()[0], 0}, {&batches.caches()[0], 1}};
    const double loss = objective.loss(clips, at::detail::createCPUGenerator(seed)).item<double>();
    const double expected = golden_->tensor(*golden_->find(name)).item<double>();
    EXPECT_NEAR(loss, expected, 5e-4 * expected);  // diffusers has other epsilons in its norms
  }

  fs::path folder_ = fs::temp_directory_path() / ("svd-unet-objective-" + std::to_string(getpid()));
  std::shared_ptr<const weights::SafetensorsFile> golden_ =
      weights::SafetensorsFile::open(kGolden + "data/training.safetensors");
};

TEST_F(UNetObjectiveTest, is_the_papers_loss_on_clips) { expect_golden(Stage::video, 1, 0); }

// Seeds with which the embedding, the image latents, both and neither are left out.
TEST_F(UNetObjectiveTest, leaves_out_what_the_lot_says) {
  for (std::uint64_t seed = 2; seed < 8; ++seed) expect_golden(Stage::video, seed, 0.3);
}

TEST_F(UNetObjectiveTest, is_without_a_picture_in_the_stage_image) {
  expect_golden(Stage::image, 9, 0.1);
}

}  // namespace
}  // namespace svd::training
