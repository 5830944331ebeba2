#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "cli/console.h"
#include "svd/observer.h"

namespace svd::cli {

/// Shows a render's progress: on a terminal one bar with stage, step and remaining time; elsewhere
/// a line when a stage starts, every tenth of a long one or 30 seconds, and when it is done.
class Progress : public Observer {
 public:
  using Clock = std::function<std::chrono::steady_clock::time_point()>;

  /// `console` must outlive the object. `clock` is replaced in tests.
  explicit Progress(Console& console, Clock clock = std::chrono::steady_clock::now);

  void on_stage_begin(Stage stage, int total) override;
  void on_progress(Stage stage, int done, int total) override;
  void on_stage_end(Stage stage, double seconds) override;

 private:
  using Time = std::chrono::steady_clock::time_point;

  void draw_bar(Stage stage, int done, int total);
  void print_plain(Stage stage, int done, int total);
  std::string remaining(int done, int total) const;  ///< ", 0:42 left", or empty

  Console& console_;
  Clock clock_;
  Time stage_begin_{};
  Time last_shown_{};
  int last_done_ = 0;
};

/// "12.3 s" below a minute, else "2:05" or "1:02:05".
std::string format_seconds(double seconds);

}  // namespace svd::cli
