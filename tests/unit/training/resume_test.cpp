// Runs that stop and go on.

#include <ATen/TensorOperators.h>

#include <string>
#include <utility>
#include <vector>

#include "svd/error.h"
#include "unit/training/training_fixture.h"
#include "weights/checkpoint.h"

namespace svd::training {
namespace {

TEST_F(TrainingTest, a_resumed_run_is_the_uninterrupted_one) {
  dataset(8);
  const std::vector<double> whole = run(config(Stage::video, "whole"));
  ASSERT_EQ(whole.size(), 4U);
  TrainConfig settings = config(Stage::video, "parts");
  settings.steps = 2;
  std::vector<double> parts = run(settings);
  settings.steps = 4;
  for (const double loss : run(settings, /*resume=*/true)) parts.push_back(loss);
  EXPECT_EQ(whole, parts);
  const auto a = weights::SafetensorsFile::open(folder_ / "whole/checkpoint.safetensors");
  const auto b = weights::SafetensorsFile::open(folder_ / "parts/checkpoint.safetensors");
  ASSERT_EQ(a->tensors().size(), b->tensors().size());
  for (const weights::TensorInfo& info : a->tensors())
    EXPECT_TRUE(a->tensor(info).equal(b->tensor(*b->find(info.name)))) << info.name;
}

// Reports are means over steps since the last one, whatever stops in between.
TEST_F(TrainingTest, a_report_covers_steps_before_a_stop) {
  dataset(8);
  TrainConfig settings = config(Stage::vae_image, "whole");
  settings.log_every = 3;
  settings.steps = 6;
  const std::vector<double> whole = run(settings);
  ASSERT_EQ(whole.size(), 2U);
  settings.output = folder_ / "parts";
  settings.steps = 2;
  EXPECT_EQ(run(settings).size(), 1U);  // of what there is at the end
  settings.steps = 6;
  EXPECT_EQ(run(settings, /*resume=*/true), whole);
}

TEST_F(TrainingTest, resuming_refuses_other_weights_of_the_model) {
  dataset(4);
  for (const char* part : {"unet", "vae"}) {
    SCOPED_TRACE(part);
    TrainConfig settings = config(Stage::lora, part);
    settings.model = copied_model();
    settings.steps = 1;
    run(settings);
    const fs::path file = settings.model / part / "diffusion_pytorch_model.safetensors";
    std::vector<std::pair<std::string, at::Tensor>> tensors;
    {
      const auto opened = weights::SafetensorsFile::open(file);
      for (const weights::TensorInfo& info : opened->tensors())
        tensors.emplace_back(info.name, opened->tensor(info) * 1.01);
    }
    weights::save_safetensors(file, tensors);
    settings.steps = 2;
    try {
      run(settings, /*resume=*/true);
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage);
      EXPECT_NE(std::string(error.what()).find("are not those that the run began with"),
                std::string::npos)
          << error.what();
    }
    fs::remove_all(settings.model);
  }
}

// The scaling factor is a moving average over all steps: a checkpoint has to keep it.
TEST_F(TrainingTest, a_resumed_autoencoder_keeps_its_scaling_factor) {
  dataset(4);
  TrainConfig settings = config(Stage::vae_image, "vae");
  settings.steps = 3;
  run(settings);
  const auto factor = [&] {
    return weights::Checkpoint::open(settings.output / "model").config().vae.scaling_factor;
  };
  const double whole = factor();
  EXPECT_NE(whole, weights::Checkpoint::open(settings.model).config().vae.scaling_factor);
  settings.output = folder_ / "parts";
  settings.steps = 1;
  run(settings);
  EXPECT_NE(factor(), whole);
  settings.steps = 3;
  run(settings, /*resume=*/true);
  EXPECT_EQ(factor(), whole);
}

TEST_F(TrainingTest, a_stopped_run_leaves_a_checkpoint) {
  dataset(4);
  std::stop_source stop;
  stop.request_stop();
  const TrainConfig settings = config(Stage::vae_image, "stopped");
  try {
    run(settings, false, stop.get_token());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::interrupted);
  }
  EXPECT_EQ(run(settings, /*resume=*/true).size(), 4U);
}

TEST_F(TrainingTest, resuming_refuses_other_settings) {
  dataset(4);
  TrainConfig settings = config(Stage::vae_image, "run");
  settings.steps = 1;
  EXPECT_THROW(run(settings, /*resume=*/true), Error);  // nothing is there
  run(settings);
  EXPECT_THROW(run(settings), Error);  // not without resume
  settings.learning_rate = 1;
  try {
    run(settings, true);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("learning_rate"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace svd::training
