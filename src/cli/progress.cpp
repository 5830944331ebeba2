#include "cli/progress.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/report.h"

namespace svd::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kRedrawInterval = 100ms;
constexpr auto kPlainInterval = 30s;
constexpr auto kPlainQuiet = 2s;  // shorter stages need no lines in between
constexpr int kBarColumns = 20;

const char* title(Stage stage) {
  switch (stage) {
    case Stage::load_conditioning:
      return "loading image encoder";
    case Stage::condition:
      return "reading the picture";
    case Stage::load_unet:
      return "loading UNet";
    case Stage::sample:
      return "sampling";
    case Stage::load_decoder:
      return "loading decoder";
    case Stage::decode:
      return "decoding";
  }
  return "working";
}

double seconds_between(std::chrono::steady_clock::time_point from,
                       std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

std::string format_seconds(double seconds) {
  if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
  const long whole = std::lround(seconds);
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

Progress::Progress(Console& console, Clock clock, Memory memory)
    : console_(console), clock_(std::move(clock)), memory_(std::move(memory)) {}

void Progress::send(const char* event, Stage stage, nlohmann::ordered_json more) const {
  nlohmann::ordered_json json = {{"event", event}, {"clip", clip_}, {"stage", to_string(stage)}};
  json.update(more);
  console_.event(json);
}

void Progress::on_stage_begin(Stage stage, int total) {
  if (!console_.options().progress) return;
  stage_begin_ = last_shown_ = clock_();
  last_done_ = 0;
  if (console_.options().json) return send("stage_begin", stage, {{"total", total}});
  if (console_.options().redraw)
    draw_bar(stage, 0, total);
  else
    console_.info(total > 0 ? fmt::format("{}: 0/{}", title(stage), total) : title(stage));
}

void Progress::on_progress(Stage stage, int done, int total) {
  if (!console_.options().progress) return;
  if (console_.options().json) {
    nlohmann::ordered_json more = {{"done", done}, {"total", total}};
    const double elapsed = seconds_between(stage_begin_, clock_());
    if (done > 0) more["seconds_left"] = elapsed / done * (total - done);
    return send("progress", stage, more);
  }
  if (!console_.options().redraw) return print_plain(stage, done, total);
  const Time now = clock_();
  if (now - last_shown_ < kRedrawInterval && done < total) return;
  last_shown_ = now;
  draw_bar(stage, done, total);
}

void Progress::on_stage_end(Stage stage, double seconds) {
  if (!console_.options().progress) return;
  if (console_.options().json)
    return send("stage_end", stage, {{"seconds", seconds}, {"peak_rss_bytes", memory_()}});
  console_.clear_status();
  console_.info(fmt::format("{}: {}", title(stage), format_seconds(seconds)));
}

void Progress::draw_bar(Stage stage, int done, int total) {
  if (total <= 0) return console_.status(fmt::format("{} ...", title(stage)));
  const int filled = static_cast<int>(static_cast<long>(kBarColumns) * done / total);
  console_.status(fmt::format("{} [{}{}] {}/{}{}", title(stage), std::string(filled, '#'),
                              std::string(kBarColumns - filled, '.'), done, total,
                              remaining(done, total)) +
                  fmt::format(", peak {}", format_bytes(memory_())));
}

void Progress::on_retry(Stage stage, Dtype from) {
  if (console_.options().json) send("retry", stage, {{"from", to_string(from)}});
  console_.warning(
      fmt::format("{} in {} gave values that are no numbers, or black: again in float32",
                  title(stage), to_string(from)));
}

void Progress::print_plain(Stage stage, int done, int total) {
  const Time now = clock_();
  if (total <= 0 || done >= total || now - stage_begin_ < kPlainQuiet) return;
  const bool next_tenth = done * 10L / total > last_done_ * 10L / total;
  if (!next_tenth && now - last_shown_ < kPlainInterval) return;
  last_shown_ = now;
  last_done_ = done;
  console_.info(fmt::format("{}: {}/{}{}", title(stage), done, total, remaining(done, total)));
}

std::string Progress::remaining(int done, int total) const {
  if (done <= 0 || done >= total) return {};
  const double elapsed = seconds_between(stage_begin_, clock_());
  return fmt::format(", {} left", format_seconds(elapsed / done * (total - done)));
}

}  // namespace svd::cli
