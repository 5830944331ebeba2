// The UNet's losses against those that tests/golden/make_goldens.py (make_training) computes with
// diffusers, random numbers included.

#include "training/unet_objective.h"

#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include <string>

#include "unit/training/objective_fixture.h"

namespace svd::training {
namespace {

class UNetObjectiveTest : public ObjectiveTest {
 protected:
  void expect_golden(Stage stage, std::uint64_t seed, double dropout) {
    const std::string name = std::string("loss_") + to_string(stage) + "_" + std::to_string(seed);
    SCOPED_TRACE(name);
    TrainConfig settings = config(stage);
    settings.dropout = dropout;
    Batches batches(settings);
    UNetObjective objective(settings, batches.caches(), at::kCPU,
                            [](std::int64_t, std::int64_t) {});
    const double loss =
        objective.loss(both_clips(batches), at::detail::createCPUGenerator(seed)).item<double>();
    const double expected = golden(name).item<double>();
    EXPECT_NEAR(loss, expected, 5e-4 * expected);  // diffusers has other epsilons in its norms
  }
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
