#include <ATen/core/Tensor.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/ones.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "cli/bench_recorder.h"
#include "cli/bench_report.h"
#include "cli/operation_profile.h"
#include "cli/process.h"

namespace svd::cli {
namespace {

using testing::Gt;
using testing::HasSubstr;
using testing::Not;

TEST(Spread, TakesTheMiddleOrTheMeanOfTheTwoInTheMiddle) {
  const double odd[] = {5, 1, 3};
  EXPECT_EQ(spread_of(odd).median, 3);
  const double even[] = {8, 1, 3, 5};
  EXPECT_EQ(spread_of(even).median, 4);
  EXPECT_EQ(spread_of(even).min, 1);
  EXPECT_EQ(spread_of(even).max, 8);
  const double one[] = {2};
  EXPECT_EQ(spread_of(one).median, 2);
}

TEST(Process, StartedAWhileAgo) {
  const double first = seconds_since_process_start();
  EXPECT_GT(first, -0.02);  // a clock tick
  EXPECT_LT(first, 3600);
  EXPECT_GE(seconds_since_process_start(), first);
}

TEST(PeakMemory, SeesWhatWasTakenWithinALap) {
  constexpr std::int64_t kBytes = 64 << 20;
  PeakMemory memory;
  const auto before = memory.lap();
  if (!before) GTEST_SKIP() << "the kernel does not let the high-water mark be restarted";
  // An allocator may keep what is given back to it.
  void* const bytes =
      mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(bytes, MAP_FAILED);
  std::memset(bytes, 1, kBytes);
  munmap(bytes, kBytes);
  const auto taken = memory.lap();
  const auto after = memory.lap();
  EXPECT_GT(*taken, *before + kBytes / 2);
  EXPECT_LT(*after, *taken - kBytes / 2);
  EXPECT_GE(memory.whole(), *taken);
}

OperationRow row_of(const OperationProfile& profile, const std::string& name) {
  for (const OperationRow& row : profile.rows())
    if (row.name == name) return row;
  return {};
}

TEST(OperationProfile, CountsWorkOnceAtTheInnermostOperator) {
  const at::Tensor x = at::ones({4, 8}), weight = at::ones({16, 8}), bias = at::ones({16});
  OperationProfile profile;
  profile.start();
  at::linear(x, weight, bias);
  at::linear(x, weight, bias);
  profile.stop();
  at::linear(x, weight, bias);

  EXPECT_EQ(row_of(profile, "aten::linear").calls, 2);
  double flops = 0, seconds = 0;
  for (const OperationRow& row : profile.rows()) {
    flops += row.flops;
    seconds += row.seconds;
  }
  EXPECT_EQ(flops, 2 * (2 * 4 * 8 * 16));
  EXPECT_EQ(row_of(profile, "aten::linear").flops, 0);
  EXPECT_LE(seconds, profile.seconds());
}

TEST(OperationProfile, CountsTheBytesOfTensorsButNotOfViews) {
  const at::Tensor x = at::ones({4, 8}), y = at::ones({4, 8});
  OperationProfile profile;
  profile.start();
  x.add(y);
  x.view({8, 4});
  profile.stop();
  EXPECT_EQ(row_of(profile, "aten::add").bytes, 3 * 4 * 8 * 4);
  EXPECT_EQ(row_of(profile, "aten::view").calls, 1);
  EXPECT_EQ(row_of(profile, "aten::view").bytes, 0);
}

/// Three steps, of which one is no warm-up.
void play(BenchRecorder& recorder) {
  recorder.on_stage_begin(Stage::load_unet, 0);
  recorder.on_stage_end(Stage::load_unet, 2.5);
  recorder.on_stage_begin(Stage::sample, 3);
  const at::Tensor x = at::ones({1, 3, 8, 8}), kernel = at::ones({5, 3, 3, 3});
  for (int step = 1; step <= 3; ++step) {
    for (int i = 0; i < step; ++i) at::conv2d(x, kernel);
    recorder.on_progress(Stage::sample, step, 3);
  }
  at::conv2d(x, kernel);
  recorder.on_stage_end(Stage::sample, 1.5);
}

TEST(BenchRecorder, TimesStagesAndSteps) {
  Observer nobody;
  BenchRecorder recorder(nobody, c10::kCPU, 2, nullptr);
  play(recorder);
  ASSERT_EQ(recorder.stages().size(), 2u);
  EXPECT_EQ(recorder.stages()[0].stage, Stage::load_unet);
  EXPECT_EQ(recorder.stages()[0].seconds, 2.5);
  EXPECT_THAT(recorder.steps(), testing::Each(Gt(0)));
  EXPECT_EQ(recorder.steps().size(), 3u);
  EXPECT_GT(recorder.peak_rss_bytes(), 1 << 20);
}

TEST(BenchRecorder, ProfilesWhatIsNoWarmUp) {
  Observer nobody;
  for (const auto& [warmup_steps, calls] : {std::pair(2, 3), std::pair(0, 6)}) {
    OperationProfile profile;
    BenchRecorder recorder(nobody, c10::kCPU, warmup_steps, &profile);
    play(recorder);
    EXPECT_EQ(row_of(profile, "aten::conv2d").calls, calls);
  }
}

BenchReport small_report() {
  BenchReport report;
  report.model = "m";
  report.warmup_steps = 1;
  report.open_seconds = 0.5;
  report.stages = {{Stage::load_conditioning, 1, 100}, {Stage::condition, 2, 200},
                   {Stage::load_unet, 3, 300},         {Stage::sample, 12, 400},
                   {Stage::load_decoder, 4, 350},      {Stage::decode, 10, 500}};
  report.steps = {9, 1, 2};
  report.encode_seconds = 1.5;
  report.peak_rss_bytes = 600;
  return report;
}

TEST(BenchReport, TellsEncodingBesideDecodingAndSumsLoads) {
  const nlohmann::ordered_json json = to_json(small_report());
  EXPECT_EQ(json["seconds"]["decode"], 10);
  EXPECT_EQ(json["seconds"]["encode"], 1.5);
  EXPECT_EQ(json["seconds"]["load"], 8.5);
  EXPECT_EQ(json["step"]["median"], 1.5);
  EXPECT_EQ(json["steps"].size(), 3u);
  EXPECT_EQ(json["peak_rss_bytes"]["load"], 350);
  EXPECT_EQ(json["peak_rss_bytes"]["whole"], 600);
  EXPECT_TRUE(json["operations"].is_null());
}

TEST(BenchReport, SaysWhatIsUnknown) {
  BenchReport report = small_report();
  for (StageRecord& record : report.stages) record.peak_rss_bytes.reset();
  report.encode_seconds.reset();
  const nlohmann::ordered_json json = to_json(report);
  EXPECT_TRUE(json["peak_rss_bytes"]["sample"].is_null());
  EXPECT_TRUE(json["peak_rss_bytes"]["load"].is_null());
  EXPECT_TRUE(json["seconds"]["encode"].is_null());
  EXPECT_EQ(json["seconds"]["decode"], 10);
  EXPECT_THAT(bench_text(report), HasSubstr("unknown"));
  EXPECT_THAT(bench_text(report), Not(HasSubstr("encode")));
}

TEST(BenchReport, ShowsOperatorsBesideTheCeiling) {
  BenchReport report = small_report();
  report.operations =
      OperationReport{.rows = {{"aten::addmm", 7, 2, 100e9, 4e9}, {"aten::add", 1, 1, 0, 2e9}},
                      .seconds = 4,
                      .ceiling_gflops = 200};
  const std::string text = bench_text(report);
  // 50 % of the time, 100 GFLOP at 50 GFLOP/s, 25 % of the ceiling, 4 GB at 2 GB/s.
  EXPECT_THAT(text, testing::ContainsRegex(
                        "aten::addmm +7 +2\\.000 +50\\.0 +100\\.0 +50\\.0 +25\\.0 +4\\.00 +2\\.0"));
  EXPECT_THAT(text, testing::ContainsRegex("outside operators +1\\.000 +25\\.0"));
  EXPECT_EQ(to_json(report)["operations"]["rows"][0]["flops"], 100e9);
}

}  // namespace
}  // namespace svd::cli
