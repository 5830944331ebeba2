#pragma once

#include <c10/core/Device.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "cli/operation_profile.h"
#include "cli/process.h"
#include "svd/observer.h"

namespace svd::cli {

/// Waits until `device` has done what was asked of it.
void synchronize(const c10::Device& device);

struct StageRecord {
  Stage stage;
  double seconds;
  std::optional<std::int64_t> peak_rss_bytes;  ///< resident memory; empty: cannot be known
};

/// Times a render, and measures its memory stage by stage; passes everything on to `next`.
class BenchRecorder : public Observer {
 public:
  /// The first `warmup_steps` sampling steps stay outside `profile`, which may be null. `next` and
  /// `profile` must outlive the object.
  BenchRecorder(Observer& next, const c10::Device& device, int warmup_steps,
                OperationProfile* profile)
      : next_(next), device_(device), warmup_steps_(warmup_steps), profile_(profile) {}

  void on_stage_begin(Stage stage, int total) override;
  void on_progress(Stage stage, int done, int total) override;
  void on_stage_end(Stage stage, double seconds) override;

  const std::vector<StageRecord>& stages() const { return stages_; }
  /// Seconds of each sampling step, warm-up included. The first includes what is computed once for
  /// a clip.
  const std::vector<double>& steps() const { return steps_; }
  /// From the start of the process to that of the sampling stage.
  double start_to_first_step() const { return start_to_first_step_; }
  /// Of the whole process.
  std::int64_t peak_rss_bytes() { return memory_.whole(); }

 private:
  void start_profile_after(int steps);

  Observer& next_;
  c10::Device device_;
  int warmup_steps_;
  OperationProfile* profile_;
  PeakMemory memory_;
  std::vector<StageRecord> stages_;
  std::vector<double> steps_;
  std::chrono::steady_clock::time_point last_step_{};
  double start_to_first_step_ = 0;
};

}  // namespace svd::cli
