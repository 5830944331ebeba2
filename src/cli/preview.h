#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cli/progress.h"
#include "svd/image.h"
#include "svd/request.h"
#include "svd/result.h"

namespace svd::cli {

/// Whether a file may be such an animation: an animated WebP.
bool may_be_preview(const std::string& file);

/// Hands everything on to `progress`, keeps what was computed again, and rewrites `file` (an
/// animated WebP) with the previews of the sampler, enlarged to about 256 pixels.
class PreviewingProgress : public Observer {
 public:
  PreviewingProgress(Progress& progress, const std::optional<std::string>& file,
                     const Request& request)
      : progress_(progress), file_(file), fps_(request.fps) {}

  void on_stage_begin(Stage stage, int total) override { progress_.on_stage_begin(stage, total); }
  void on_progress(Stage stage, int done, int total) override {
    progress_.on_progress(stage, done, total);
  }
  void on_stage_end(Stage stage, double seconds) override {
    progress_.on_stage_end(stage, seconds);
  }
  void on_retry(Stage stage, Dtype from) override {
    {
      const std::lock_guard lock(mutex_);
      retries_.push_back({stage, from});
    }
    progress_.on_retry(stage, from);
  }
  bool wants_preview() const override { return file_.has_value(); }
  void on_preview(int step, const std::vector<Image>& frames) override;

  /// So far; from any thread.
  std::vector<Retry> retries() const {
    const std::lock_guard lock(mutex_);
    return retries_;
  }

 private:
  void write(const std::vector<Image>& frames) const;

  Progress& progress_;
  std::optional<std::string> file_;
  double fps_;
  mutable std::mutex mutex_;
  std::vector<Retry> retries_;
};

}  // namespace svd::cli
