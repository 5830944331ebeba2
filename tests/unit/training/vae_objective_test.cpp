// The temporal decoder's loss against the terms that tests/golden/make_goldens.py (make_training)
// computes with diffusers.

#include "training/vae_objective.h"

#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include <string>

#include "unit/training/objective_fixture.h"

namespace svd::training {
namespace {

class VaeObjectiveTest : public ObjectiveTest {
 protected:
  double loss(double gradient_weight, double block_weight) {
    TrainConfig settings = config(Stage::vae_video);
    settings.gradient_weight = gradient_weight;
    settings.block_weight = block_weight;
    Batches batches(settings);
    VaeObjective objective(settings, batches, at::kCPU);
    return objective.loss(both_clips(batches), at::detail::createCPUGenerator(1)).item<double>();
  }

  void expect_golden(double loss, const std::string& name) {
    const double expected = golden(name).item<double>();
    EXPECT_NEAR(loss, expected, 5e-4 * expected);  // diffusers has other epsilons in its norms
  }
};

TEST_F(VaeObjectiveTest, is_the_error_of_the_pixels) { expect_golden(loss(0, 0), "vae_pixels"); }

TEST_F(VaeObjectiveTest, weighs_the_error_of_edges) {
  expect_golden((loss(3, 0) - loss(0, 0)) / 3, "vae_gradients");
}

TEST_F(VaeObjectiveTest, weighs_the_error_of_the_means_of_blocks) {
  expect_golden((loss(0, 3) - loss(0, 0)) / 3, "vae_blocks");
}

}  // namespace
}  // namespace svd::training
