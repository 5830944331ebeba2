#include "cli/report.h"

#include <c10/util/Exception.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <new>
#include <nlohmann/json.hpp>

namespace svd::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

template <typename Throw>
Failure failure_of(Throw thrower, bool verbose = false, int signal = 0) {
  try {
    thrower();
  } catch (...) {
    return describe_failure(std::current_exception(), verbose, signal);
  }
  return {};
}

TEST(Failure, KeepsKindMessageAndHintOfAnError) {
  const Failure failure = failure_of([] { throw Error(ErrorKind::image, "m", "h"); });
  EXPECT_EQ(failure.kind, ErrorKind::image);
  EXPECT_EQ(failure.message, "m");
  EXPECT_EQ(failure.hint, "h");
  EXPECT_EQ(failure.exit_code, 3);
}

TEST(Failure, ExitsWithTheSignalThatInterrupted) {
  const auto interrupted = [] { throw Error(ErrorKind::interrupted, "stopped"); };
  EXPECT_EQ(failure_of(interrupted).exit_code, 130);
  EXPECT_EQ(failure_of(interrupted, false, 15).exit_code, 143);
  EXPECT_EQ(failure_of([] { throw Error(ErrorKind::model, "m"); }, false, 15).exit_code, 4);
}

TEST(Failure, SortsMemoryThatRanOutAsADeviceFailure) {
  EXPECT_EQ(failure_of([] { throw std::bad_alloc(); }).exit_code, 5);
  EXPECT_EQ(failure_of([] {
              throw c10::OutOfMemoryError({"f", "f", 1}, "CUDA is full");
            }).exit_code,
            5);
  const Failure failure = failure_of([] {
    TORCH_CHECK(false,
                "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.");
  });
  EXPECT_EQ(failure.exit_code, 5);
  EXPECT_THAT(failure.message, StartsWith("out of memory: DefaultCPUAllocator"));
  EXPECT_THAT(failure.hint, HasSubstr("--size"));
}

TEST(Failure, HidesTorchsBacktraceUnlessVerbose) {
  const auto broken = [] { TORCH_CHECK(false, "expected 4 dimensions"); };
  const Failure failure = failure_of(broken);
  EXPECT_EQ(failure.exit_code, 1);
  EXPECT_EQ(failure.message, "expected 4 dimensions");
  EXPECT_THAT(failure_of(broken, true).message,
              AllOf(HasSubstr("expected 4 dimensions"), HasSubstr("frame #")));
}

TEST(Failure, ShowsWhatAnErrorWasTranslatedFromWhenVerbose) {
  const auto translated = [] {
    try {
      throw std::runtime_error("cause");
    } catch (...) {
      std::throw_with_nested(Error(ErrorKind::model, "m"));
    }
  };
  EXPECT_EQ(failure_of(translated).message, "m");
  EXPECT_EQ(failure_of(translated, true).message, "m\ncause");
}

TEST(Failure, CallsEverythingElseInternal) {
  EXPECT_EQ(failure_of([] { throw std::out_of_range("vector"); }).message, "vector");
  EXPECT_EQ(failure_of([] { throw std::out_of_range("vector"); }).exit_code, 1);
  EXPECT_EQ(failure_of([] { throw 7; }).exit_code, 1);
}

Request request() {
  Request r;
  r.frames = 25;
  r.fps = 12;
  r.seed = 123;
  return r;
}

TEST(Report, SaysTheClipInOneLine) {
  EXPECT_EQ(clip_line(request()), "25 frames at 12 fps = 2.08 s, 1024x576, seed 123");
  Request one = request();
  one.frames = 1;
  one.fps = 23.976;
  EXPECT_EQ(clip_line(one), "1 frame at 23.976 fps = 0.04 s, 1024x576, seed 123");
}

Report finished() {
  Report report;
  report.image = "in.png";
  report.output = "out.mp4";
  report.image_width = 640;
  report.image_height = 480;
  report.model = "tiny";
  report.model_path = "models/tiny-svd";
  report.request = request();
  report.warnings = {"demonstration"};
  report.result = Result{};
  report.result->frames_written = 25;
  report.result->seconds = 45.2;
  report.result->peak_rss_bytes = 3'328'599'654;
  report.result->stages = {{Stage::load_unet, 1.5}, {Stage::sample, 40}};
  return report;
}

TEST(Report, SummarisesAFinishedRun) {
  EXPECT_EQ(summary_line(finished()), "wrote out.mp4 in 45.2 s, peak memory 3.1 GiB");
}

TEST(Report, GivesAFinishedRunAsJson) {
  const auto json = to_json(finished());
  EXPECT_EQ(json["status"], "done");
  EXPECT_EQ(json["output"], "out.mp4");
  EXPECT_EQ(json["image"],
            (nlohmann::ordered_json{{"path", "in.png"}, {"width", 640}, {"height", 480}}));
  EXPECT_EQ(json["seed"], 123);
  EXPECT_EQ(json["request"]["frames"], 25);
  EXPECT_DOUBLE_EQ(json["clip_seconds"].get<double>(), 25.0 / 12);
  EXPECT_EQ(json["frames_written"], 25);
  EXPECT_EQ(json["stages"][1]["stage"], "sample");
  EXPECT_EQ(json["stages"][1]["seconds"], 40);
  EXPECT_EQ(json["seconds"], 45.2);
  EXPECT_GT(json["peak_rss_bytes"].get<std::int64_t>(), 1'000'000);
  EXPECT_EQ(json["warnings"][0], "demonstration");
  EXPECT_TRUE(json["error"].is_null());
}

TEST(Report, GivesAFailureAsJsonWithWhatWasKnown) {
  Report report;
  report.image = "in.png";
  report.output = "bad\xff.mp4";
  report.failure = Failure{ErrorKind::usage, "m", "h", 2};
  const auto json = nlohmann::json::parse(dump(to_json(report)));
  EXPECT_EQ(json["status"], "failed");
  EXPECT_EQ(json["output"], "bad\xEF\xBF\xBD.mp4");
  EXPECT_TRUE(json["request"].is_null());
  EXPECT_TRUE(json["seed"].is_null());
  EXPECT_EQ(json["frames_written"], 0);
  EXPECT_EQ(json["error"],
            (nlohmann::json{{"kind", "usage"}, {"message", "m"}, {"hint", "h"}, {"exit_code", 2}}));
}

TEST(Report, PlansEveryStage) {
  Report report = finished();
  report.result.reset();
  report.dry_run = true;
  const auto json = to_json(report);
  EXPECT_EQ(json["status"], "planned");
  EXPECT_EQ(json["stages"].size(), 6u);
  EXPECT_FALSE(json.contains("frames_written"));
  std::string text;
  for (const std::string& line : plan_lines(report)) text += line + "\n";
  EXPECT_THAT(text, AllOf(HasSubstr(clip_line(request())), HasSubstr("models/tiny-svd"),
                          HasSubstr("load_unet sample"), Not(HasSubstr("wrote"))));
}

TEST(FormatBytes, PicksReadableUnits) {
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1536), "1.5 KiB");
  EXPECT_EQ(format_bytes(5 * 1024 * 1024), "5.0 MiB");
  EXPECT_EQ(format_bytes(9'559'625'980), "8.9 GiB");
}

}  // namespace
}  // namespace svd::cli
