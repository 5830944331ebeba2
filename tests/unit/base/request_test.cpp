#include "svd/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/suggest.h"
#include "svd/error.h"
#include "svd/observer.h"

namespace svd {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// The error that `validate` gives for options changed by `change`; empty when it accepts them.
std::string refusal(const std::function<void(RequestOptions&)>& change) {
  RequestOptions options;
  change(options);
  try {
    validate(options);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what() + (error.hint().empty() ? "" : "; " + error.hint());
  }
  return {};
}

TEST(Validate, AcceptsNothingSetAndTheEndsOfEveryRange) {
  EXPECT_EQ(refusal([](RequestOptions&) {}), "");
  EXPECT_EQ(refusal([](RequestOptions& o) {
              o.frames = o.steps = o.threads = o.decode_chunk = 1;
              o.fps = 0.01;
              o.condition_fps = o.motion_bucket_id = o.noise_aug_strength = 0;
              o.min_guidance = o.max_guidance = 0;
              o.width = o.height = 64;
              o.seed = 0;
              o.device = "cuda:127";
            }),
            "");
  EXPECT_EQ(refusal([](RequestOptions& o) {
              o.frames = o.steps = o.decode_chunk = 1000;
              o.threads = 1024;
              o.fps = o.condition_fps = 1000;
              o.motion_bucket_id = 1023;
              o.noise_aug_strength = 10;
              o.min_guidance = o.max_guidance = 100;
              o.width = o.height = 4096;
              o.seed = std::numeric_limits<std::uint64_t>::max();
              o.device = "auto";
            }),
            "");
}

TEST(Validate, RefusesIntegersOutsideTheirRangeByFlagValueAndRange) {
  for (const int frames : {0, -3, 1001, 1000000000})
    EXPECT_THAT(
        refusal([&](RequestOptions& o) { o.frames = frames; }),
        AllOf(HasSubstr("--frames " + std::to_string(frames) + " "), HasSubstr("1 to 1000")));
  for (const int value : {0, 1001}) {
    EXPECT_THAT(refusal([&](RequestOptions& o) { o.steps = value; }), HasSubstr("--steps"));
    EXPECT_THAT(refusal([&](RequestOptions& o) { o.decode_chunk = value; }),
                HasSubstr("--decode-chunk"));
  }
  for (const int threads : {0, -1, 1025})
    EXPECT_THAT(refusal([&](RequestOptions& o) { o.threads = threads; }), HasSubstr("--threads"));
}

TEST(Validate, RefusesNumbersOutsideTheirRangeNanAndInfinity) {
  struct Case {
    const char* flag;
    std::optional<double> RequestOptions::*member;
    double below, above;
  };
  const Case cases[] = {
      {"--fps", &RequestOptions::fps, 0, 1000.1},
      {"--condition-fps", &RequestOptions::condition_fps, -0.1, 1000.1},
      {"--motion-bucket-id", &RequestOptions::motion_bucket_id, -1, 1023.5},
      {"--noise-aug-strength", &RequestOptions::noise_aug_strength, -0.01, 10.1},
      {"--min-guidance", &RequestOptions::min_guidance, -0.1, 100.1},
      {"--max-guidance", &RequestOptions::max_guidance, -0.1, 100.1},
  };
  for (const Case& c : cases) {
    for (const double value : {c.below, c.above, kNan, kInfinity, -kInfinity})
      EXPECT_THAT(refusal([&](RequestOptions& o) { o.*(c.member) = value; }),
                  AllOf(HasSubstr(c.flag), HasSubstr("is accepted")))
          << value;
  }
}

TEST(Validate, AllowsAGuidanceRampThatFalls) {
  EXPECT_EQ(refusal([](RequestOptions& o) {
              o.min_guidance = 3;
              o.max_guidance = 1;
            }),
            "");
}

std::string size_refusal(std::optional<int> width, std::optional<int> height) {
  return refusal([&](RequestOptions& o) {
    o.width = width;
    o.height = height;
  });
}

TEST(Validate, NamesTheNearestSizes) {
  EXPECT_THAT(size_refusal(1000, 500), AllOf(HasSubstr("--size 1000x500"), HasSubstr("64"),
                                             HasSubstr("1024x512 or 960x448")));
  EXPECT_THAT(size_refusal(1024, 570), HasSubstr("1024x576 or 1024x512"));
  EXPECT_THAT(size_refusal(10, 10), HasSubstr("nearest sizes are 64x64"));
  EXPECT_THAT(size_refusal(100000, 64), HasSubstr("nearest sizes are 4096x64"));
  EXPECT_THAT(size_refusal(-64, 2147483647), HasSubstr("64x4096"));
  EXPECT_THAT(size_refusal(4160, 576), HasSubstr("4096x576"));
  EXPECT_THAT(size_refusal(1024, std::nullopt), HasSubstr("both sides"));
  EXPECT_THAT(size_refusal(std::nullopt, 576), HasSubstr("both sides"));
}

TEST(Validate, KnowsTheDevices) {
  for (const char* device : {"auto", "cpu", "cuda", "cuda:0", "cuda:7"})
    EXPECT_EQ(refusal([&](RequestOptions& o) { o.device = device; }), "") << device;
  for (const char* device :
       {"", "gpu", "CPU", "cuda:", "cuda:x", "cuda:-1", "cuda:-0", "cuda:128", "cuda:0x", "cpu:0"})
    EXPECT_THAT(refusal([&](RequestOptions& o) { o.device = device; }), HasSubstr("--device"))
        << device;
}

TEST(Validate, RefusesLatentsWithoutAName) {
  EXPECT_THAT(refusal([](RequestOptions& o) { o.save_latents = ""; }), HasSubstr("--save-latents"));
  EXPECT_THAT(refusal([](RequestOptions& o) { o.init_latents = ""; }), HasSubstr("--init-latents"));
}

TEST(RequestJson, HoldsEveryValueUnderItsFlagsName) {
  Request request;
  request.seed = 18446744073709551615u;
  request.fps = 23.976;
  request.fit = Fit::pad;
  request.dtype = Dtype::bfloat16;
  request.profile = Profile::diffusers;
  request.device = "cuda:1";
  request.save_latents = "out.safetensors";
  request.memory_bytes = 8589934592;
  const auto json = nlohmann::json::parse(to_json(request));
  const nlohmann::json expected = {{"frames", 25},
                                   {"fps", 23.976},
                                   {"condition_fps", 6.0},
                                   {"steps", 25},
                                   {"seed", 18446744073709551615u},
                                   {"motion_bucket_id", 127.0},
                                   {"noise_aug_strength", 0.02},
                                   {"min_guidance", 1.5},
                                   {"max_guidance", 3.0},
                                   {"width", 1024},
                                   {"height", 576},
                                   {"fit", "pad"},
                                   {"dtype", "bfloat16"},
                                   {"vae_dtype", "float32"},
                                   {"device", "cuda:1"},
                                   {"threads", 1},
                                   {"memory_bytes", 8589934592},
                                   {"decode_chunk", 14},
                                   {"profile", "diffusers"},
                                   {"save_latents", "out.safetensors"},
                                   {"init_latents", nullptr}};
  EXPECT_EQ(json, expected);
}

TEST(RequestJson, StaysJsonWhenAFileNameIsNotUtf8) {
  Request request;
  request.init_latents = "bad\xff\"name";
  EXPECT_EQ(nlohmann::json::parse(to_json(request)).at("init_latents"), "bad\xEF\xBF\xBD\"name");
}

TEST(StageNames, AreThoseOfTheEnumeration) {
  EXPECT_STREQ(to_string(Stage::load_conditioning), "load_conditioning");
  EXPECT_STREQ(to_string(Stage::condition), "condition");
  EXPECT_STREQ(to_string(Stage::load_unet), "load_unet");
  EXPECT_STREQ(to_string(Stage::sample), "sample");
  EXPECT_STREQ(to_string(Stage::load_decoder), "load_decoder");
  EXPECT_STREQ(to_string(Stage::decode), "decode");
}

TEST(Suggest, FindsSlipsAndLeavesStrangersAlone) {
  const std::vector<std::string> names = {"--frames", "--fps", "--steps", "--seed"};
  EXPECT_EQ(closest("--stepz", names), "--steps");
  EXPECT_EQ(closest("--fraems", names), "--frames");  // neighbours swapped
  EXPECT_EQ(closest("--frame", names), "--frames");
  EXPECT_EQ(closest("--watermark", names), std::nullopt);
  EXPECT_EQ(closest("ab", {"xy"}), std::nullopt);
  EXPECT_EQ(closest(std::string(1000, 'x'), names), std::nullopt);
  EXPECT_EQ(closest("x", {}), std::nullopt);
  EXPECT_EQ(did_you_mean("--sede", names), "did you mean --seed?");
  EXPECT_EQ(did_you_mean("--watermark", names), "");
}

}  // namespace
}  // namespace svd
