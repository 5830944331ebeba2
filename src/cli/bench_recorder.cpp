#include "cli/bench_recorder.h"

#include <c10/core/impl/DeviceGuardImplInterface.h>

namespace svd::cli {

void synchronize(const c10::Device& device) {
  if (device.is_cpu()) return;
  c10::impl::getDeviceGuardImpl(device.type())->synchronizeDevice(device.index());
}

void BenchRecorder::on_stage_begin(Stage stage, int total) {
  next_.on_stage_begin(stage, total);
  memory_.lap();
  if (stage != Stage::sample) return;
  start_to_first_step_ = seconds_since_process_start();
  start_profile_after(0);
  last_step_ = std::chrono::steady_clock::now();
}

void BenchRecorder::on_progress(Stage stage, int done, int total) {
  if (stage == Stage::sample) {
    synchronize(device_);
    const auto now = std::chrono::steady_clock::now();
    steps_.push_back(std::chrono::duration<double>(now - last_step_).count());
    start_profile_after(done);
    if (done == total && profile_) profile_->stop();
    last_step_ = std::chrono::steady_clock::now();
  }
  next_.on_progress(stage, done, total);
}

void BenchRecorder::on_stage_end(Stage stage, double seconds) {
  stages_.push_back({stage, seconds, memory_.lap()});
  next_.on_stage_end(stage, seconds);
}

void BenchRecorder::start_profile_after(int steps) {
  if (profile_ && steps == warmup_steps_) profile_->start();
}

}  // namespace svd::cli
