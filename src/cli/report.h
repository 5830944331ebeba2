#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/failure.h"
#include "svd/memory_plan.h"
#include "svd/request.h"
#include "svd/result.h"

namespace svd::cli {

/// What is known about a render so far; filled as it goes, complete enough to report at any point.
struct Report {
  int index = 0;  ///< of the clip in its list
  std::string image;
  std::string output;
  int image_width = 0;  ///< of the picture, upright; 0: not read yet
  int image_height = 0;
  std::optional<std::string> model;
  std::optional<std::string> model_path;
  std::string image_sha256;          ///< of the picture's bytes; empty: not read yet
  std::string model_id;              ///< empty: not asked for
  std::string request_id;            ///< of what decides the file (cli/clip_record.h)
  std::optional<Request> request;    ///< once resolved
  std::optional<MemoryPlan> memory;  ///< once planned
  bool dry_run = false;
  bool skipped = false;  ///< the output was there already
  bool adopted = false;  ///< the output was there already, made from the same request
  std::vector<std::string> warnings;
  std::optional<Result> result;  ///< once finished
  std::optional<Failure> failure;
};

/// "25 frames at 12 fps = 2.08 s, 1024x576, seed 123"
std::string clip_line(const Request& request);

/// "wrote out.mp4 in 45.2 s, peak memory 3.1 GiB"
std::string summary_line(const Report& report);

/// The lines of --dry-run.
std::vector<std::string> plan_lines(const Report& report);

/// "done", "failed", "skipped", "adopted" or "planned".
const char* status_of(const Report& report);

/// The object of --json.
nlohmann::ordered_json to_json(const Report& report);

/// {"kind", "message", "hint", "exit_code"}
nlohmann::ordered_json to_json(const Failure& failure);

/// JSON as text; bytes that are no UTF-8 (file names) are replaced.
std::string dump(const nlohmann::ordered_json& json);

/// "512 B", "12.3 MiB", "3.1 GiB"
std::string format_bytes(std::int64_t bytes);

}  // namespace svd::cli
