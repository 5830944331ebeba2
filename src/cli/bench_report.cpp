#include "cli/bench_report.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "cli/report.h"
#include "cli/version.h"

namespace svd::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostRowsShown = 25;

bool is_load(Stage stage) {
  return stage == Stage::load_conditioning || stage == Stage::load_unet ||
         stage == Stage::load_decoder;
}

std::span<const double> counted_steps(const BenchReport& report) {
  return std::span(report.steps).subspan(static_cast<std::size_t>(report.warmup_steps));
}

double load_seconds(const BenchReport& report) {
  double seconds = report.open_seconds;
  for (const StageRecord& record : report.stages)
    if (is_load(record.stage)) seconds += record.seconds;
  return seconds;
}

Json seconds_json(const BenchReport& report) {
  Json seconds = {{"open", report.open_seconds}};
  for (const StageRecord& record : report.stages) seconds[to_string(record.stage)] = record.seconds;
  seconds["encode"] = or_null(report.encode_seconds);
  seconds["load"] = load_seconds(report);
  seconds["start_to_first_step"] = report.start_to_first_step;
  seconds["start_to_file"] = report.start_to_file;
  return seconds;
}

Json peaks_json(const BenchReport& report) {
  Json peaks;
  std::optional<std::int64_t> load;
  for (const StageRecord& record : report.stages) {
    peaks[to_string(record.stage)] = or_null(record.peak_rss_bytes);
    if (is_load(record.stage)) load = std::max(load, record.peak_rss_bytes);
  }
  peaks["load"] = or_null(load);
  peaks["whole"] = report.peak_rss_bytes;
  return peaks;
}

Json operations_json(const OperationReport& report) {
  Json rows = Json::array();
  for (const OperationRow& row : report.rows)
    rows.push_back({{"name", row.name},
                    {"calls", row.calls},
                    {"seconds", row.seconds},
                    {"flops", row.flops},
                    {"bytes", row.bytes}});
  return {{"seconds", report.seconds}, {"ceiling_gflops", report.ceiling_gflops}, {"rows", rows}};
}

std::string operation_line(const OperationRow& row, const OperationReport& report) {
  std::string line = fmt::format("{:50} {:7} {:8.3f} {:6.1f}", row.name, row.calls, row.seconds,
                                 100 * row.seconds / report.seconds);
  const double gigabytes = row.bytes * 1e-9;
  if (row.flops > 0) {
    const double speed = row.flops * 1e-9 / row.seconds;
    line += fmt::format(" {:9.1f} {:8.1f} {:8.1f}", row.flops * 1e-9, speed,
                        100 * speed / report.ceiling_gflops);
  } else {
    line += fmt::format("{:27}", "");
  }
  return line + fmt::format(" {:8.2f} {:7.1f}\n", gigabytes, gigabytes / row.seconds);
}

std::string operations_text(const OperationReport& report) {
  std::string text = fmt::format(
      "\nOperators in the counted steps, without what they call. Ceiling: {:.0f} GFLOP/s, a 3x3\n"
      "convolution of 320 channels.\n\n{:50} {:>7} {:>8} {:>6} {:>9} {:>8} {:>8} {:>8} {:>7}\n",
      report.ceiling_gflops, "operator", "calls", "seconds", "%", "GFLOP", "GFLOP/s", "% of it",
      "GB", "GB/s");
  OperationRow rest{.name = "(more)"}, all{.name = "all operators"};
  for (std::size_t i = 0; i < report.rows.size(); ++i) {
    const OperationRow& row = report.rows[i];
    for (OperationRow* sum : {&all, &rest}) {
      if (sum == &rest && i < kMostRowsShown) continue;
      sum->calls += row.calls;
      sum->seconds += row.seconds;
      sum->flops += row.flops;
      sum->bytes += row.bytes;
    }
    if (i < kMostRowsShown) text += operation_line(row, report);
  }
  if (rest.calls > 0) text += operation_line(rest, report);
  text += operation_line(all, report);
  const double outside = report.seconds - all.seconds;
  return text + fmt::format("{:50} {:7} {:8.3f} {:6.1f}\n", "outside operators", "", outside,
                            100 * outside / report.seconds);
}

}  // namespace

Spread spread_of(std::span<const double> values) {
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  const std::size_t middle = sorted.size() / 2;
  const double median =
      sorted.size() % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return {median, sorted.front(), sorted.back()};
}

std::string bench_text(const BenchReport& report) {
  const Request& request = report.request;
  std::string text = fmt::format(
      "model    {} ({})\nclip     {}\nnumbers  {}, VAE {}\ndevice   {}\n\n{:20} {:>9} "
      "{:>10}\n",
      report.model, report.model_path, clip_line(request), to_string(request.dtype),
      to_string(request.vae_dtype), report.device, "", "seconds", "peak RSS");
  text += fmt::format("{:20} {:9.3f}\n", "open", report.open_seconds);
  for (const StageRecord& record : report.stages)
    text += fmt::format("{:20} {:9.3f} {:>10}\n", to_string(record.stage), record.seconds,
                        record.peak_rss_bytes ? format_bytes(*record.peak_rss_bytes) : "unknown");
  if (report.encode_seconds)
    text += fmt::format("{:20} {:9.3f}\n", "encode", *report.encode_seconds);
  text += fmt::format("{:20} {:9.3f}\n{:20} {:9.3f} {:>10}\n\nsteps   ", "start to first step",
                      report.start_to_first_step,
                      report.encode_seconds ? "start to file" : "start to last frame",
                      report.start_to_file, format_bytes(report.peak_rss_bytes));
  for (const double seconds : report.steps) text += fmt::format(" {:.3f}", seconds);
  const Spread spread = spread_of(counted_steps(report));
  text += fmt::format(" s\n         without the first {}: median {:.3f}, {:.3f} to {:.3f} s\n",
                      report.warmup_steps, spread.median, spread.min, spread.max);
  if (report.operations) text += operations_text(*report.operations);
  return text;
}

Json to_json(const BenchReport& report) {
  const Spread spread = spread_of(counted_steps(report));
  return {{"program", "svd-gen"},
          {"build", Json::parse(version_json())},
          {"model", {{"name", report.model}, {"path", report.model_path}}},
          {"image", or_null(report.image)},
          {"device", report.device},
          {"request", Json::parse(svd::to_json(report.request))},
          {"attention", report.attention},
          {"warmup_steps", report.warmup_steps},
          {"without", report.without},
          {"seconds", seconds_json(report)},
          {"steps", report.steps},
          {"step", {{"median", spread.median}, {"min", spread.min}, {"max", spread.max}}},
          {"peak_rss_bytes", peaks_json(report)},
          {"peak_device_bytes", or_null(report.peak_device_bytes)},
          {"operations", report.operations ? operations_json(*report.operations) : Json()},
          {"error", nullptr}};
}

}  // namespace svd::cli
