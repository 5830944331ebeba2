#include "pipeline/memory_plan.h"

#include <gtest/gtest.h>

#include <optional>

#include "pipeline/cpu_memory.h"
#include "pipeline/system_memory.h"
#include "svd/error.h"

namespace svd::pipeline {
namespace {

constexpr std::int64_t kMebi = std::int64_t{1} << 20, kGibi = std::int64_t{1} << 30;

/// The full-size model, 14 frames of 448x256, all in bfloat16.
Request request() {
  Request request;
  request.frames = 14;
  request.width = 448;
  request.height = 256;
  request.dtype = request.vae_dtype = Dtype::bfloat16;
  return request;
}

MemoryPlan plan(const Request& request, std::int64_t limit) {
  return plan_memory(request, ModelConfig{}, {limit, 300 * kMebi});
}

std::optional<MemoryPlan> plan_if_any(const Request& request, std::int64_t limit) {
  try {
    return plan(request, limit);
  } catch (const Error&) {
    return std::nullopt;
  }
}

TEST(MemoryPlan, TakesTheFastestWayWhereThereIsRoom) {
  const MemoryPlan ample = plan(request(), 64 * kGibi);
  EXPECT_EQ(describe_choices(ample), "");
  EXPECT_EQ(ample.cache_bytes, kMostCached);
  ASSERT_EQ(ample.stages.size(), 3u);
  // 1,524,623,082 parameters of two bytes, less the cross-attentions and time embeddings; more for
  // upsamplers as four phases.
  EXPECT_NEAR(double(ample.stages[1].weight_bytes), 2.537e9 + 0.052e9, 0.001e9);
}

/// The least limit that is accepted; every one above it is kept to.
std::int64_t least_limit() {
  std::int64_t least = 0;
  for (std::int64_t limit = 8 * kGibi; limit > 0; limit -= 64 * kMebi) {
    const auto found = plan_if_any(request(), limit);
    if (!found) break;
    EXPECT_LE(found->peak_bytes() + found->cache_bytes, limit);
    least = limit;
  }
  return least;
}

TEST(MemoryPlan, KeepsToEveryLimitItAccepts) {
  const std::int64_t least = least_limit();
  EXPECT_LT(least, 2 * kGibi);
  EXPECT_GT(least, 512 * kMebi);
}

TEST(MemoryPlan, GivesUpSpeedInOrder) {
  const std::int64_t ample = plan(request(), 64 * kGibi).peak_bytes();
  const MemoryPlan less = plan(request(), ample - kMebi);
  EXPECT_FALSE(less.stream_unet) << "one branch after the other is enough";
  EXPECT_TRUE(less.sequential_guidance);
  const MemoryPlan little = plan(request(), ample * 6 / 10);
  EXPECT_TRUE(little.stream_unet);
  EXPECT_EQ(little.decode_part_bytes, nn::PartLimits{}.part_bytes);
  const MemoryPlan least = plan(request(), least_limit());  // differs between CPUs
  EXPECT_TRUE(least.stream_unet);
  EXPECT_LT(least.decode_part_bytes, little.decode_part_bytes);
}

TEST(MemoryPlan, NeverRunsAnUnguidedClipsBranchesApart) {
  Request unguided = request();
  unguided.min_guidance = unguided.max_guidance = 1;
  const std::int64_t ample = plan(unguided, 64 * kGibi).peak_bytes();
  EXPECT_FALSE(plan(unguided, ample * 6 / 10).sequential_guidance);
}

TEST(MemoryPlan, PlansAGpusMemoryAlone) {
  Request on_gpu = request();
  on_gpu.device = "cuda:0";
  const MemoryPlan ample = plan_memory(on_gpu, ModelConfig{}, {64 * kGibi, 0});
  EXPECT_EQ(ample.process_bytes, 0);
  EXPECT_EQ(ample.decode_part_bytes, 0) << "in one piece";
  EXPECT_EQ(ample.cache_bytes, kMostCached);
  const MemoryPlan scarce = plan_memory(on_gpu, ModelConfig{}, {ample.peak_bytes() * 7 / 10, 0});
  EXPECT_TRUE(scarce.stream_unet);
  EXPECT_FALSE(scarce.recompute_decoder) << "on the CPU only";
}

TEST(MemoryPlan, CountsTheBytesOfDeeperFrames) {
  const MemoryPlan deep = plan_memory(request(), ModelConfig{}, {64 * kGibi, 0}, {.bit_depth = 16});
  const MemoryPlan plain = plan_memory(request(), ModelConfig{}, {64 * kGibi, 0});
  // One byte more a channel, of one chunk and of the one that waits.
  EXPECT_EQ(deep.stages[2].bytes() - plain.stages[2].bytes(), 2 * 14 * 448 * 256 * 3);
}

TEST(MemoryPlan, KeepsNetworksWhereAllStagesFitBesideThem) {
  const auto keeping = [](std::int64_t limit) {
    return plan_memory(request(), ModelConfig{}, {limit, 300 * kMebi}, {.keep_networks = true});
  };
  EXPECT_FALSE(plan(request(), 64 * kGibi).keep_networks) << "only when asked";
  const MemoryPlan ample = keeping(64 * kGibi);
  EXPECT_TRUE(ample.keep_networks);
  EXPECT_FALSE(ample.stream_unet || ample.stream_decoder);
  const MemoryPlan once = plan(request(), 64 * kGibi);
  EXPECT_GT(ample.stages[0].weight_bytes,
            once.stages[0].weight_bytes + once.stages[1].weight_bytes);
  EXPECT_EQ(ample.stages[1].weight_bytes, ample.stages[2].weight_bytes);
  EXPECT_GT(ample.peak_bytes(), once.peak_bytes());

  EXPECT_TRUE(keeping(ample.peak_bytes()).keep_networks);
  const MemoryPlan scarce = keeping(ample.peak_bytes() - 1);
  EXPECT_FALSE(scarce.keep_networks);
  EXPECT_EQ(scarce.peak_bytes(), once.peak_bytes()) << "as if nobody had asked";
  EXPECT_FALSE(keeping(once.peak_bytes() * 6 / 10).keep_networks) << "never a streamed one";
}

TEST(MemoryPlan, PlansOneStageByItself) {
  const MemoryPlan whole = plan(request(), 64 * kGibi);
  for (const StageMemory& stage : whole.stages) {
    const MemoryPlan alone =
        plan_stage(request(), ModelConfig{}, {64 * kGibi, 300 * kMebi}, stage.stage);
    ASSERT_EQ(alone.stages.size(), 1u);
    EXPECT_EQ(alone.stages[0].stage, stage.stage);
    EXPECT_EQ(alone.stages[0].bytes(), stage.bytes());
  }
  EXPECT_THROW(plan_stage(request(), ModelConfig{}, {700 * kMebi, 300 * kMebi}, Stage::sample),
               Error);
  EXPECT_TRUE(
      plan_stage(request(), ModelConfig{}, {64 * kGibi, 0}, Stage::decode, {.keep_networks = true})
          .keep_networks);
}

TEST(MemoryPlan, RefusesWithSettingsThatFit) {
  Request large = request();
  large.width = 1024;
  large.height = 576;
  large.memory_bytes = 4 * kGibi;
  try {
    plan(large, 4 * kGibi);
    FAIL() << "4 GiB cannot be enough";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::device);
    EXPECT_NE(std::string(error.what()).find("decoding"), std::string::npos) << error.what();
    EXPECT_NE(error.hint().find("--decode-chunk"), std::string::npos) << error.hint();
    // What it names as the least is enough, and less is not.
    const std::size_t at = error.hint().find("--memory ");
    ASSERT_NE(at, std::string::npos) << error.hint();
    const std::int64_t least = std::stoll(error.hint().substr(at + 9));
    EXPECT_TRUE(plan_if_any(large, least * kMebi));
    EXPECT_FALSE(plan_if_any(large, (least - 17) * kMebi));
  }
}

TEST(MemoryPlan, TakesItsLimitFromTheRequestOrTheMachine) {
  Request own = request();
  own.memory_bytes = 3 * kGibi;
  EXPECT_EQ(memory_limits(own).limit_bytes, 3 * kGibi);
  const MemoryLimits machine = memory_limits(request());
  EXPECT_LE(memory_limits(request(), 64 * kMebi).process_bytes, machine.process_bytes - 32 * kMebi)
      << "networks that are loaded are planned again";
  EXPECT_GT(machine.limit_bytes, 512 * kMebi);
  EXPECT_GT(machine.process_bytes, resident_bytes());
  EXPECT_GT(peak_resident_bytes(), resident_bytes() / 2);
}

}  // namespace
}  // namespace svd::pipeline
