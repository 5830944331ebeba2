#include "pipeline/resolve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "svd/error.h"

namespace svd::pipeline {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

ModelConfig model_with_frames(int frames) {
  ModelConfig model;
  model.defaults.frames = frames;
  return model;
}

Request resolve(RequestOptions options, const ModelConfig& model, int width = 1920,
                int height = 1080, std::vector<std::string>* warnings = nullptr) {
  options.device = "cpu";
  std::vector<std::string> discarded;
  return resolve_request(options, model, width, height, warnings ? *warnings : discarded);
}

// Stability's svd.yaml and svd_xt.yaml with simple_video_sample.py.
TEST(Resolve, reference_profile_takes_the_released_values_of_the_model) {
  const Request svd = resolve({}, model_with_frames(14));
  EXPECT_EQ(svd.frames, 14);
  EXPECT_EQ(svd.steps, 25);
  EXPECT_EQ(svd.min_guidance, 1.0);
  EXPECT_EQ(svd.max_guidance, 2.5);
  const Request xt = resolve({}, model_with_frames(25));
  EXPECT_EQ(xt.frames, 25);
  EXPECT_EQ(xt.steps, 30);
  EXPECT_EQ(xt.min_guidance, 1.5);
  EXPECT_EQ(xt.max_guidance, 3.0);
  EXPECT_EQ(xt.decode_chunk, 14);
  EXPECT_EQ(xt.motion_bucket_id, 127);
  EXPECT_EQ(xt.noise_aug_strength, 0.02);
  EXPECT_EQ(xt.fps, 7);
  EXPECT_EQ(xt.condition_fps, 6);
  EXPECT_EQ(xt.vae_dtype, Dtype::float32);
}

// StableVideoDiffusionPipeline.__call__ defaults.
TEST(Resolve, diffusers_profile_overrides_the_model) {
  RequestOptions options;
  options.profile = Profile::diffusers;
  for (int frames : {14, 25}) {
    const Request request = resolve(options, model_with_frames(frames));
    EXPECT_EQ(request.steps, 25);
    EXPECT_EQ(request.min_guidance, 1.0);
    EXPECT_EQ(request.max_guidance, 3.0);
    EXPECT_EQ(request.decode_chunk, frames);
  }
}

TEST(Resolve, a_model_may_name_its_own_defaults) {
  ModelConfig model = model_with_frames(14);
  model.defaults.steps = 8;
  model.defaults.min_guidance = 1.0;
  model.defaults.max_guidance = 1.5;
  model.defaults.motion_bucket_id = 60;
  model.defaults.width = 256;
  model.defaults.height = 128;
  const Request request = resolve({}, model);
  EXPECT_EQ(request.steps, 8);
  EXPECT_EQ(request.max_guidance, 1.5);
  EXPECT_EQ(request.motion_bucket_id, 60);
  EXPECT_EQ(request.width, 256);
  EXPECT_EQ(request.height, 128);
}

TEST(Resolve, portrait_images_give_portrait_videos) {
  const Request request = resolve({}, model_with_frames(25), 1080, 1920);
  EXPECT_EQ(request.width, 576);
  EXPECT_EQ(request.height, 1024);
}

TEST(Resolve, playback_rate_conditions_the_model_within_its_range) {
  const std::pair<double, double> cases[] = {{7, 6}, {12, 11}, {3, 2}, {30, 29}, {60, 29}, {1, 2}};
  for (const auto& [fps, expected] : cases) {
    RequestOptions options;
    options.fps = fps;
    std::vector<std::string> warnings;
    const Request request = resolve(options, model_with_frames(25), 1920, 1080, &warnings);
    EXPECT_EQ(request.fps, fps);
    EXPECT_EQ(request.condition_fps, expected);
    EXPECT_EQ(warnings.empty(), fps >= 3 && fps <= 30) << fps;
  }
}

TEST(Resolve, conditioning_rate_can_be_given_apart) {
  RequestOptions options;
  options.fps = 60;
  options.condition_fps = 12;
  std::vector<std::string> warnings;
  const Request request = resolve(options, model_with_frames(25), 1920, 1080, &warnings);
  EXPECT_EQ(request.fps, 60);
  EXPECT_EQ(request.condition_fps, 12);
  EXPECT_THAT(warnings, IsEmpty());
}

TEST(Resolve, random_seeds_fit_in_32_bits_and_differ) {
  const std::uint64_t a = resolve({}, model_with_frames(25)).seed;
  const std::uint64_t b = resolve({}, model_with_frames(25)).seed;
  EXPECT_LT(a, std::uint64_t{1} << 32);
  EXPECT_NE(a, b);
}

TEST(Resolve, size_must_fit_the_model) {
  ModelConfig model;
  model.unet.block_out_channels = {320, 640, 1280, 1280, 1280};  // needs multiples of 128
  RequestOptions options;
  options.width = 192;
  options.height = 128;
  try {
    resolve(options, model);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_THAT(error.what(), HasSubstr("multiples of 128"));
  }
}

TEST(Resolve, decode_chunk_is_at_most_the_clip) {
  RequestOptions options;
  options.decode_chunk = 100;
  EXPECT_EQ(resolve(options, model_with_frames(14)).decode_chunk, 14);
}

}  // namespace
}  // namespace svd::pipeline
