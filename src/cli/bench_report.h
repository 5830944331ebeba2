#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/bench_recorder.h"
#include "cli/operation_profile.h"
#include "svd/request.h"

namespace svd::cli {

/// Of at least one value.
struct Spread {
  double median = 0;  ///< of an even number: the mean of the two in the middle
  double min = 0;
  double max = 0;
};
Spread spread_of(std::span<const double> values);

/// What --profile-ops adds: the counted steps, operator by operator.
struct OperationReport {
  std::vector<OperationRow> rows;
  double seconds = 0;         ///< of the counted steps, what is no operator included
  double ceiling_gflops = 0;  ///< what a large convolution reaches
};

struct BenchReport {
  std::optional<std::string> image;  ///< empty: drawn
  std::string model;
  std::string model_path;
  std::string device;  ///< for people
  Request request;
  std::string attention;  ///< on a CUDA device
  int warmup_steps = 0;
  std::vector<std::string> without;  ///< savings that were left out
  double open_seconds = 0;           ///< finding the model and checking its headers
  std::vector<StageRecord> stages;
  std::vector<double> steps;             ///< seconds each, warm-up included
  std::optional<double> encode_seconds;  ///< beside decoding; empty: nothing was encoded
  double start_to_first_step = 0;
  double start_to_file = 0;  ///< or to the last frame, where nothing was encoded
  std::int64_t peak_rss_bytes = 0;
  std::optional<std::int64_t> peak_device_bytes;  ///< of a GPU
  std::optional<OperationReport> operations;
};

std::string bench_text(const BenchReport& report);

/// The object of --json.
nlohmann::ordered_json to_json(const BenchReport& report);

}  // namespace svd::cli
