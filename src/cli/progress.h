#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/console.h"
#include "pipeline/system_memory.h"
#include "svd/observer.h"

namespace svd::cli {

/// Shows a render's progress as its console wants it: events as JSON
/// (configs/schemas/progress.json), one bar with stage, step, remaining time and peak memory, or a
/// line when a stage starts, every tenth of a long one or 30 seconds, and when it is done.
class Progress : public Observer {
 public:
  using Clock = std::function<std::chrono::steady_clock::time_point()>;

  using Memory = std::function<std::int64_t()>;  ///< peak of resident memory so far, in bytes

  /// `console` must outlive the object. `clock` and `memory` are replaced in tests.
  explicit Progress(Console& console, Clock clock = std::chrono::steady_clock::now,
                    Memory memory = pipeline::peak_resident_bytes);

  /// Which clip of a list the next stages belong to, for the events.
  void begin_clip(int index) { clip_ = index; }
  void warn(const std::string& text) { console_.warning(text); }

  void on_stage_begin(Stage stage, int total) override;
  void on_progress(Stage stage, int done, int total) override;
  void on_stage_end(Stage stage, double seconds) override;
  void on_retry(Stage stage, Dtype from) override;

 private:
  using Time = std::chrono::steady_clock::time_point;

  void send(const char* event, Stage stage, nlohmann::ordered_json more) const;
  void draw_bar(Stage stage, int done, int total);
  void print_plain(Stage stage, int done, int total);
  std::string remaining(int done, int total) const;  ///< ", 0:42 left", or empty

  Console& console_;
  Clock clock_;
  Memory memory_;
  Time stage_begin_{};
  Time last_shown_{};
  int last_done_ = 0;
  int clip_ = 0;
};

/// "12.3 s" below a minute, else "2:05" or "1:02:05".
std::string format_seconds(double seconds);

}  // namespace svd::cli
