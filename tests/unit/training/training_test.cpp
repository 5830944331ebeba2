// Datasets, the optimiser, and what a run computes.

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_svdvals.h>
#include <ATen/ops/tensor.h>
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <set>

#include "base/json.h"
#include "pipeline/device.h"
#include "support/devices.h"
#include "training/adamw.h"
#include "training/batches.h"
#include "training/clip_cache.h"
#include "training/trainer.h"
#include "training/unet_objective.h"
#include "training/vae_objective.h"
#include "unit/training/meta_device.h"
#include "unit/training/training_fixture.h"
#include "weights/checkpoint.h"
#include "weights/lora.h"
#include "weights/safetensors.h"

namespace svd::training {
namespace {

class CudaTrainingTest : public TrainingTest {
 protected:
  void SetUp() override { test::need_cuda(); }
};

TEST_F(TrainingTest, a_dataset_gives_back_what_was_added) {
  const ClipCache cache(dataset(5));
  ASSERT_EQ(cache.clips().size(), 5U);
  std::set<std::string> sources;
  for (const ClipInfo& info : cache.clips()) {
    SynthOptions options;
    options.frames = 3;
    options.width = static_cast<int>(info.width);
    options.height = 64;
    const std::uint64_t seed = std::stoull(info.source.substr(info.source.find(' ')));
    const Clip clip = synthesize(seed, options);
    EXPECT_TRUE(cache.frames(info).equal(clip.frames)) << info.source;
    EXPECT_EQ(info.fps, clip.fps);
    EXPECT_EQ(info.motion, clip.motion);
    EXPECT_EQ(info.motion_bucket_id, motion_bucket(clip.motion_score));
    sources.insert(info.source);
  }
  EXPECT_EQ(sources.size(), 5U);
  EXPECT_THROW(ClipCacheWriter again(folder_ / "data"), Error);
}

TEST_F(TrainingTest, a_broken_index_is_named_with_its_line) {
  const fs::path data = dataset(2);
  std::ofstream(data / "clips.jsonl", std::ios::app) << "{\"shard\": \"../x\"}\n";
  try {
    ClipCache cache(data);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find("clips.jsonl line 3"), std::string::npos)
        << error.what();
  }
}

TEST_F(TrainingTest, an_epoch_sees_every_clip_once_in_batches_of_one_shape) {
  dataset(12);
  TrainConfig settings = config(Stage::video, "x");
  settings.batch = 3;
  Batches batches(settings);
  EXPECT_EQ(batches.clips(), 12);
  std::vector<std::size_t> first, second;
  for (std::int64_t i = 0; i < 8; ++i) {
    const std::vector<ClipRef> batch = batches.at(i);
    ASSERT_EQ(batch.size(), 3U);
    for (const ClipRef& clip : batch) {
      EXPECT_EQ(clip.info().width, batch[0].info().width);
      (i < 4 ? first : second).push_back(clip.index);
    }
  }
  EXPECT_EQ(std::set<std::size_t>(first.begin(), first.end()).size(), 12U);
  EXPECT_EQ(std::set<std::size_t>(second.begin(), second.end()).size(), 12U);
  EXPECT_NE(first, second);
  Batches again(settings);
  EXPECT_EQ(again.at(5)[1].index, batches.at(5)[1].index);
}

TEST_F(TrainingTest, motions_choose_clips) {
  dataset(12);
  TrainConfig settings = config(Stage::video, "x");
  settings.batch = 1;
  settings.motions = {ClipCache(folder_ / "data").clips()[0].motion};
  Batches batches(settings);
  EXPECT_LT(batches.clips(), 12);
  EXPECT_EQ(batches.at(0)[0].info().motion, settings.motions[0]);
}

// torch 2.11 in Python: AdamW(lr=0.1, betas=(0.9, 0.99), weight_decay=0.1) on [1, -2] (as a matrix)
// with gradients [0.5, 0.25], then [-1, 0.5].
TEST(AdamWTest, is_torchs) {
  TrainConfig config;
  config.learning_rate = 0.1;
  config.warmup_steps = 0;
  config.beta2 = 0.99;
  config.weight_decay = 0.1;
  config.clip_norm = 0;
  const at::Tensor value = at::tensor({1.0F, -2.0F}).view({1, 2}).set_requires_grad(true);
  AdamW optimiser({{"x", value}}, config);
  value.mutable_grad() = at::tensor({0.5F, 0.25F}).view({1, 2});
  EXPECT_NEAR(optimiser.step(0), std::sqrt(0.3125), 1e-6);
  EXPECT_FALSE(value.grad().defined());
  value.mutable_grad() = at::tensor({-1.0F, 0.5F}).view({1, 2});
  optimiser.step(1);
  EXPECT_NEAR(value[0][0].item<double>(), 0.91766077, 1e-6);
  EXPECT_NEAR(value[0][1].item<double>(), -2.15558743, 1e-6);
}

TEST(AdamWTest, clips_warms_up_and_averages) {
  TrainConfig config;
  config.steps = 100;
  config.learning_rate = 1;
  config.warmup_steps = 4;
  config.cosine_decay = true;
  config.ema_decay = 0.5;
  const at::Tensor value = at::full({1}, 1.0).to(at::kFloat).set_requires_grad(true);
  AdamW optimiser({{"x", value}}, config);
  EXPECT_NEAR(optimiser.learning_rate(0), 0.25, 1e-9);
  EXPECT_GT(optimiser.learning_rate(4), 0.99);
  EXPECT_NEAR(optimiser.learning_rate(100), 0.1, 1e-9);
  value.mutable_grad() = at::full({1}, 30.0).to(at::kFloat);
  EXPECT_NEAR(optimiser.step(0), 30, 1e-4);
  for (const auto& [name, tensor] : optimiser.state()) {
    if (name != "first_moment.x") continue;
    EXPECT_NEAR(tensor.item<double>(), 0.1, 1e-5);  // a tenth of what was clipped to 1
  }
  // The average keeps (1 + 0) / (10 + 0) of what it was.
  EXPECT_NEAR(optimiser.averages()[0].item<double>(), 0.1 * 1 + 0.9 * value.item<double>(), 1e-6);
  value.mutable_grad() = at::full({1}, std::nan("")).to(at::kFloat);
  const double before = value.item<double>();
  EXPECT_TRUE(std::isnan(optimiser.step(1)));
  EXPECT_EQ(value.item<double>(), before);
}

TEST_F(TrainingTest, two_batches_a_step_are_one_of_twice_the_size) {
  ClipCacheWriter writer(folder_ / "data");
  for (const std::uint64_t seed : {1U, 2U}) {
    SynthOptions options;
    options.frames = 2;
    options.width = options.height = 64;
    writer.add(synthesize(seed, options));
  }
  writer.finish();
  TrainConfig one = config(Stage::vae_video, "one");  // nothing in it is random but the order
  one.steps = 1;
  one.clip_norm = 0;
  TrainConfig two = one;
  two.output = folder_ / "two";
  two.batch = 1;
  two.accumulate = 2;
  const double loss = run(one).at(0);
  EXPECT_NEAR(run(two).at(0), loss, 1e-5 * loss);
  expect_same_gradients(one, two);
}

TEST_F(TrainingTest, frozen_weights_stay_bit_for_bit) {
  dataset(4);
  const auto is_temporal = [](const std::string& name) {
    return name.find("temporal") != std::string::npos ||
           name.find("time_mixer") != std::string::npos ||
           name.find("time_pos_embed") != std::string::npos ||
           name.find("time_conv_out") != std::string::npos;
  };
  struct Case {
    Stage stage;
    bool temporal_only;
    const char* part;
    bool moves_spatial, moves_temporal;
  };
  for (const Case& each : {Case{Stage::video, true, "unet", false, true},
                           Case{Stage::video, false, "unet", true, true},
                           Case{Stage::image, false, "unet", true, false},
                           Case{Stage::vae_video, true, "vae", false, true},
                           Case{Stage::vae_image, false, "vae", true, false}}) {
    TrainConfig settings =
        config(each.stage, fmt::format("{}_{}", to_string(each.stage), each.temporal_only));
    SCOPED_TRACE(settings.output);
    settings.temporal_only = each.temporal_only;
    settings.float16 = false;
    settings.steps = 2;
    run(settings);
    const std::string file = std::string(each.part) + "/diffusion_pytorch_model.safetensors";
    const auto before = weights::SafetensorsFile::open(settings.model / file);
    const auto after = weights::SafetensorsFile::open(settings.output / "model" / file);
    std::size_t spatial = 0, temporal = 0;
    for (const weights::TensorInfo& info : before->tensors()) {
      const at::Tensor was = before->tensor(info).to(at::kFloat);
      if (after->tensor(*after->find(info.name)).equal(was)) continue;
      (is_temporal(info.name) ? temporal : spatial) += 1;
    }
    EXPECT_EQ(spatial > 0, each.moves_spatial);
    EXPECT_EQ(temporal > 0, each.moves_temporal);
  }
}

// What was encoded before a stop is not encoded again.
TEST_F(TrainingTest, encoding_goes_on_where_it_stopped) {
  dataset(6);  // a shard of each shape
  const TrainConfig settings = config(Stage::video, "x");
  Batches batches(settings);
  const Encoders encoders(settings.model, at::kCPU);
  const auto stop_at_four = [](std::int64_t done, std::int64_t total) {
    EXPECT_EQ(total, 6);
    if (done == 4) throw Error(ErrorKind::interrupted, "stopped");
  };
  EXPECT_THROW(LatentCache(batches.caches(), encoders, stop_at_four), Error);
  std::int64_t encoded = 0;
  const LatentCache cache(batches.caches(), encoders, [&](std::int64_t, std::int64_t total) {
    EXPECT_EQ(total, 3);
    ++encoded;
  });
  EXPECT_EQ(encoded, 3);
  for (std::size_t i = 0; i < 6; ++i) {
    const ClipRef clip{&batches.caches()[0], i};
    const at::Tensor pixels = to_pixels(clip.cache->frames(clip.info()));
    EXPECT_TRUE(cache.of(clip).equal(encoders.encode(pixels).to(at::kHalf))) << i;
  }
}

TEST_F(TrainingTest, clips_of_rare_shapes_are_left_out_and_told_of) {
  dataset(5);  // three of 64x64, two of 128x64
  TrainConfig settings = config(Stage::video, "x");
  settings.batch = 3;
  const Batches batches(settings);
  EXPECT_EQ(batches.clips(), 3);
  EXPECT_EQ(batches.left_out(), "2 of 3 frames of 128x64");
  EXPECT_EQ(batches.shapes().size(), 1U);
}

TEST_F(TrainingTest, every_stage_lowers_its_loss_on_one_batch_and_leaves_a_model) {
  dataset(2);
  for (const Stage stage : {Stage::vae_image, Stage::vae_video, Stage::image, Stage::video}) {
    SCOPED_TRACE(to_string(stage));
    TrainConfig settings = config(stage, to_string(stage));
    settings.batch = 1;
    settings.steps = 12;
    settings.noise = {0, 0};
    settings.dropout = 0;
    settings.gradient_checkpointing = stage == Stage::video;
    const std::vector<double> losses = run(settings);
    double before = 0, after = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      before += losses[i];
      after += losses[losses.size() - 1 - i];
    }
    EXPECT_LT(after, before);
    const auto model = weights::Checkpoint::open(settings.output / "model");
    EXPECT_EQ(model.config().unet.block_out_channels.size(), 4U);
  }
}

TEST_F(TrainingTest, checkpointing_goes_with_bfloat16) {
  dataset(4);
  TrainConfig settings = config(Stage::video, "plain");
  settings.bfloat16 = true;
  settings.learning_rate = 3e-3;
  settings.warmup_steps = 0;
  const std::vector<double> plain = run(settings);
  settings.output = folder_ / "checkpointed";
  settings.gradient_checkpointing = true;
  const std::vector<double> checkpointed = run(settings);
  for (std::size_t i = 0; i < plain.size(); ++i)
    EXPECT_NEAR(checkpointed[i], plain[i], 0.05 * plain[i]) << i;
}

TEST_F(TrainingTest, checkpointing_keeps_the_gradients_of_loras) {
  dataset(4);
  TrainConfig plain = config(Stage::lora, "plain");
  plain.steps = 1;
  plain.clip_norm = 0;
  TrainConfig checkpointed = plain;
  checkpointed.output = folder_ / "checkpointed";
  checkpointed.gradient_checkpointing = true;
  run(plain);
  run(checkpointed);
  expect_same_gradients(plain, checkpointed);
}

TEST_F(TrainingTest, bfloat16_gives_nearly_the_same_losses) {
  dataset(4);
  for (const Stage stage : {Stage::vae_image, Stage::video}) {
    SCOPED_TRACE(to_string(stage));
    TrainConfig settings = config(stage, std::string("wide_") + to_string(stage));
    settings.learning_rate = 1e-5;
    const std::vector<double> wide = run(settings);
    settings.output = folder_ / (std::string("narrow_") + to_string(stage));
    settings.bfloat16 = true;
    const std::vector<double> narrow = run(settings);
    for (std::size_t i = 0; i < wide.size(); ++i) {
      EXPECT_NEAR(narrow[i], wide[i], 0.05 * wide[i]);
      EXPECT_NE(narrow[i], wide[i]);
    }
  }
}

// The meta device has shapes and no numbers, and torch refuses to compute with tensors of two
// devices, but for products of matrices: what is left on the CPU by mistake is found without a
// card.
TEST_F(TrainingTest, a_step_is_taken_where_it_is_told_to) {
  dataset(2);
  const at::Generator generator = at::detail::createCPUGenerator(1);
  for (const Stage stage :
       {Stage::vae_image, Stage::vae_video, Stage::image, Stage::video, Stage::lora}) {
    SCOPED_TRACE(to_string(stage));
    TrainConfig settings = config(stage, "x");
    settings.batch = 1;
    settings.gradient_checkpointing = stage == Stage::video;
    Batches batches(settings);
    std::unique_ptr<Objective> objective;
    if (trains_vae(stage)) {
      objective = std::make_unique<VaeObjective>(settings, batches, at::kMeta);
    } else {
      const auto ignore = [](std::int64_t, std::int64_t) {};
      UNetObjective(settings, batches.caches(), at::kCPU, ignore);  // leaves latents, with numbers
      objective = std::make_unique<UNetObjective>(settings, batches.caches(), at::kMeta, ignore);
    }
    AdamW optimiser(objective->trainables(), settings);
    const at::Tensor loss = objective->loss(batches.at(0), generator);
    EXPECT_TRUE(loss.is_meta());
    torch::autograd::backward({loss}, {});
    std::size_t reached = 0;
    for (const Trainable& parameter : optimiser.parameters())
      if (parameter.value.grad().defined()) ++reached;
    EXPECT_GT(reached, optimiser.parameters().size() / 2);
    optimiser.step(0);
    for (const auto& [name, tensor] : optimiser.state()) EXPECT_TRUE(tensor.is_meta()) << name;
  }
}

// With the settings for devices that the program has, and latents that are encoded there.
TEST_F(CudaTrainingTest, gives_nearly_the_losses_of_the_cpu_and_goes_on_elsewhere) {
  dataset(4);
  for (const Stage stage :
       {Stage::vae_image, Stage::vae_video, Stage::image, Stage::video, Stage::lora}) {
    for (const bool bfloat16 : {false, true}) {
      SCOPED_TRACE(fmt::format("{}, bfloat16 {}", to_string(stage), bfloat16));
      TrainConfig settings = config(stage, fmt::format("{}_{}_cpu", to_string(stage), bfloat16));
      settings.learning_rate = 1e-5;
      settings.gradient_checkpointing = stage == Stage::video || stage == Stage::lora;
      settings.augmentation_draws = stage == Stage::lora ? 1 : 0;
      device_ = at::kCPU;
      const std::vector<double> of_cpu = run(settings);
      for (const auto& entry : fs::directory_iterator(folder_ / "data"))
        if (entry.path().filename().string().starts_with("latents-")) fs::remove(entry.path());
      settings.output = folder_ / fmt::format("{}_{}_cuda", to_string(stage), bfloat16);
      settings.bfloat16 = bfloat16;
      settings.steps = 3;
      device_ = pipeline::select_device("cuda");
      std::vector<double> of_cuda = run(settings);
      settings.steps = 4;
      if (stage == Stage::video) device_ = at::kCPU;
      for (const double loss : run(settings, /*resume=*/true)) of_cuda.push_back(loss);
      ASSERT_EQ(of_cpu.size(), of_cuda.size());
      for (std::size_t i = 0; i < of_cpu.size(); ++i)
        EXPECT_NEAR(of_cuda[i], of_cpu[i], (bfloat16 ? 0.05 : 1e-3) * of_cpu[i]) << i;
    }
  }
}

TEST_F(TrainingTest, a_lora_run_leaves_a_file_that_changes_the_model) {
  dataset(4);
  TrainConfig settings = config(Stage::lora, "lora");
  settings.rank = 2;
  settings.learning_rate = 1e-2;
  run(settings);
  const fs::path file = settings.output / "model/pytorch_lora_weights.safetensors";
  std::set<std::string> layers;
  const auto opened = weights::SafetensorsFile::open(file);
  for (const weights::TensorInfo& tensor : opened->tensors()) {
    const std::size_t begin = tensor.name.find(".attn") + 1;
    layers.insert(tensor.name.substr(begin, tensor.name.find(".lora") - begin));
  }
  EXPECT_EQ(layers, (std::set<std::string>{"attn1.to_q", "attn1.to_k", "attn1.to_v",
                                           "attn1.to_out.0", "attn2.to_v", "attn2.to_out.0"}));
  for (const std::string& layer : layers) {
    SCOPED_TRACE(layer);
    weights::Checkpoint checkpoint = weights::Checkpoint::open(settings.model);
    const std::string name =
        fmt::format("mid_block.attentions.0.temporal_transformer_blocks.0.{}.weight", layer);
    const at::Tensor before = checkpoint.read(weights::Part::unet, name, at::kFloat).clone();
    checkpoint.add_lora(weights::Lora::open(file, 1));
    const at::Tensor change = checkpoint.read(weights::Part::unet, name, at::kFloat) - before;
    EXPECT_GT(change.abs().max().item<double>(), 1e-4);
    const at::Tensor values = at::linalg_svdvals(change);  // of rank 2
    EXPECT_LT(values[2].item<double>(), 1e-3 * values[0].item<double>());
  }
}

TEST_F(TrainingTest, any_motion_bucket_hides_the_clips_own) {
  for (const double score : {0.1, 1.0}) {
    ClipCacheWriter writer(folder_ / fmt::format("score_{}", score));
    for (const std::uint64_t seed : {1U, 2U}) {
      SynthOptions options;
      options.frames = 3;
      options.width = options.height = 64;
      Clip clip = synthesize(seed, options);
      clip.motion_score = score;
      writer.add(clip);
    }
    writer.finish();
  }
  const auto first_loss = [&](double score, bool any) {
    const std::string name = fmt::format("score_{}", score);
    TrainConfig settings = config(Stage::lora, fmt::format("{}_{}", name, any));
    settings.data = {folder_ / name};
    settings.steps = 1;
    settings.any_motion_bucket = any;
    return run(settings).at(0);
  };
  const double slow = first_loss(0.1, false), any = first_loss(0.1, true);
  EXPECT_NE(slow, first_loss(1, false));
  EXPECT_NE(slow, any);
  EXPECT_EQ(any, first_loss(1, true));
}

}  // namespace
}  // namespace svd::training
