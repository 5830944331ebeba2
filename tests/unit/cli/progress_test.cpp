#include "cli/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>

namespace svd::cli {
namespace {

using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

/// A console on a string, and a clock that moves by hand.
struct Screen {
  explicit Screen(const ConsoleOptions& options) : console(out, options) {}

  std::ostringstream out;
  Console console;
  std::chrono::steady_clock::time_point now{};
  Progress progress{console, [this] { return now; }, [] { return std::int64_t{3} << 30; }};

  std::string take() {
    std::string text = out.str();
    out.str("");
    return text;
  }
};

ConsoleOptions terminal(int width = 80) {
  ConsoleOptions options;
  options.redraw = true;
  options.width = width;
  return options;
}

TEST(Progress, DrawsABarWithStageStepAndRemainingTime) {
  Screen screen(terminal());
  screen.progress.on_stage_begin(Stage::sample, 25);
  EXPECT_EQ(screen.take(), "sampling [....................] 0/25, peak 3.0 GiB");
  screen.now += 10s;
  screen.progress.on_progress(Stage::sample, 5, 25);
  EXPECT_EQ(screen.take(),
            "\r\033[Ksampling [####................] 5/25, 40.0 s left, peak 3.0 GiB");
  screen.now += 20s;
  screen.progress.on_progress(Stage::sample, 25, 25);
  EXPECT_EQ(screen.take(), "\r\033[Ksampling [####################] 25/25, peak 3.0 GiB");
  screen.progress.on_stage_end(Stage::sample, 30);
  EXPECT_EQ(screen.take(), "\r\033[Ksampling: 30.0 s\n");
}

TEST(Progress, RedrawsTenTimesASecondAtMost) {
  Screen screen(terminal());
  screen.progress.on_stage_begin(Stage::decode, 1000);
  screen.take();
  for (int i = 1; i <= 100; ++i) {
    screen.now += 10ms;
    screen.progress.on_progress(Stage::decode, i, 1000);
  }
  const std::string drawn = screen.take();
  EXPECT_EQ(std::count(drawn.begin(), drawn.end(), '\r'), 10);
}

TEST(Progress, NeverWrapsInANarrowTerminal) {
  Screen screen(terminal(20));
  screen.progress.on_stage_begin(Stage::sample, 25);
  EXPECT_EQ(screen.take().size(), 19u);
}

TEST(Progress, PrintsWarningsAboveTheBar) {
  Screen screen(terminal());
  screen.progress.on_stage_begin(Stage::sample, 2);
  screen.take();
  screen.console.warning("odd value");
  EXPECT_EQ(screen.take(),
            "\r\033[Kwarning: odd value\nsampling [....................] 0/2, peak 3.0 GiB");
}

TEST(Progress, ClearsTheBarWhenTheRunFails) {
  std::ostringstream out;
  {
    Console console(out, terminal());
    Progress progress(console);
    progress.on_stage_begin(Stage::sample, 2);
  }
  EXPECT_THAT(out.str(), EndsWith("\r\033[K"));
}

TEST(Progress, PrintsTenthsOnPlainOutput) {
  Screen screen({});
  screen.progress.on_stage_begin(Stage::sample, 100);
  EXPECT_EQ(screen.take(), "sampling: 0/100\n");
  for (int i = 1; i <= 100; ++i) {
    screen.now += 1s;
    screen.progress.on_progress(Stage::sample, i, 100);
  }
  const std::string text = screen.take();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 9) << text;
  EXPECT_THAT(text, HasSubstr("sampling: 50/100, 50.0 s left\n"));
  EXPECT_THAT(text, Not(HasSubstr("\r")));
  screen.progress.on_stage_end(Stage::sample, 100);
  EXPECT_EQ(screen.take(), "sampling: 1:40\n");
}

TEST(Progress, PrintsAtLeastEveryThirtySecondsOfASlowStage) {
  Screen screen({});
  screen.progress.on_stage_begin(Stage::sample, 1000);
  screen.take();
  screen.now += 29s;
  screen.progress.on_progress(Stage::sample, 1, 1000);
  EXPECT_EQ(screen.take(), "");
  screen.now += 1s;
  screen.progress.on_progress(Stage::sample, 2, 1000);
  EXPECT_THAT(screen.take(), HasSubstr("2/1000, 4:09:30 left"));
}

TEST(Progress, PrintsNothingInBetweenForAShortStage) {
  Screen screen({});
  screen.progress.on_stage_begin(Stage::decode, 14);
  screen.take();
  for (int i = 1; i <= 14; ++i) screen.progress.on_progress(Stage::decode, i, 14);
  EXPECT_EQ(screen.take(), "");
}

TEST(Console, IsSilentButForErrorsWhenQuiet) {
  ConsoleOptions quiet;
  quiet.quiet = true;
  Screen screen(quiet);
  screen.progress.on_stage_begin(Stage::sample, 2);
  screen.console.warning("w");
  screen.progress.on_stage_end(Stage::sample, 1);
  screen.console.info("i");
  screen.console.debug("d");
  EXPECT_EQ(screen.take(), "");
  screen.console.error("e", "h");
  EXPECT_EQ(screen.take(), "error: e\nhint: h\n");
  screen.console.error("e", "");
  EXPECT_EQ(screen.take(), "error: e\n");
}

TEST(Console, ShowsDebugLinesOnlyWhenVerbose) {
  ConsoleOptions verbose;
  verbose.verbose = true;
  Screen screen(verbose);
  screen.console.debug("d");
  EXPECT_EQ(screen.take(), "d\n");
}

TEST(Console, ColoursLabelsOnlyWhereAsked) {
  ConsoleOptions coloured;
  coloured.colour = true;
  Screen screen(coloured);
  screen.console.error("e", "");
  EXPECT_EQ(screen.take(), "\033[1;31merror:\033[0m e\n");
}

TEST(Console, CutsBetweenCharacters) {
  Screen screen(terminal(4));
  screen.console.status("a\xC3\xA4\xC3\xB6\xC3\xBC");
  EXPECT_EQ(screen.take(), "a\xC3\xA4\xC3\xB6");
}

TEST(ConsoleOptions, RespectsNoColorDumbTerminalsAndQuiet) {
  setenv("TERM", "xterm", 1);
  unsetenv("NO_COLOR");
  EXPECT_TRUE(console_options({.force_tty = true}).colour);
  EXPECT_TRUE(console_options({.force_tty = true}).redraw);
  EXPECT_FALSE(console_options({.quiet = true, .force_tty = true}).redraw);
  setenv("NO_COLOR", "1", 1);
  EXPECT_FALSE(console_options({.force_tty = true}).colour);
  EXPECT_TRUE(console_options({.force_tty = true}).redraw);
  unsetenv("NO_COLOR");
  setenv("TERM", "dumb", 1);
  EXPECT_FALSE(console_options({.force_tty = true}).colour);
}

TEST(ConsoleOptions, DoAsTheyAreTold) {
  EXPECT_TRUE(console_options({.progress = ProgressMode::bar}).redraw);
  EXPECT_FALSE(console_options({.force_tty = true, .progress = ProgressMode::plain}).redraw);
  EXPECT_FALSE(console_options({.force_tty = true, .progress = ProgressMode::none}).progress);
  EXPECT_TRUE(console_options({.progress = ProgressMode::json}).json);
  EXPECT_TRUE(console_options({.color = ColorMode::always}).colour);
  EXPECT_FALSE(console_options({.force_tty = true, .color = ColorMode::never}).colour);
}

TEST(FormatSeconds, PicksReadableUnits) {
  EXPECT_EQ(format_seconds(0), "0.0 s");
  EXPECT_EQ(format_seconds(59.94), "59.9 s");
  EXPECT_EQ(format_seconds(59.96), "1:00");
  EXPECT_EQ(format_seconds(125), "2:05");
  EXPECT_EQ(format_seconds(3599.6), "1:00:00");
  EXPECT_EQ(format_seconds(3725), "1:02:05");
}

}  // namespace
}  // namespace svd::cli