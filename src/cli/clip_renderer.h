#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>

#include "cli/clip_record.h"
#include "cli/console.h"
#include "cli/job.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "svd/generator.h"

namespace svd::cli {

/// What to do with an output that is there already.
enum class Existing {
  refuse,  ///< or replace it, where the clip says overwrite
  skip,    ///< leave the clip out
  adopt,   ///< leave the clip out if the output was made from the same request, else refuse
};

struct ClipRendererOptions {
  Existing existing = Existing::refuse;
  bool dry_run = false;
  bool many = false;  ///< more clips follow: networks stay loaded where memory allows
};

/// What picture, model and noise have to be, for a replay; empty: whatever they are.
struct Expected {
  std::string image_sha256;
  std::string model_id;
  std::string init_latents_sha256;
};

/// Renders clips one after the other. A model stays open for the clips that use it.
class ClipRenderer {
 public:
  /// `begin` is called once, before the first clip is computed, for what asks to stop from then on.
  ClipRenderer(Console& console, const ClipRendererOptions& options,
               std::function<std::stop_token()> begin);

  /// Fills `report` step by step, so that it says how far a clip came that failed. Throws Error;
  /// what is wrong is found in the order usage, output, image, model, device.
  void render(const Job& job, Report& report, const Expected& expected = {});

  /// The same from saved latents instead of a picture: the path in `job.image`.
  void decode(const Job& job, Report& report, const Expected& expected = {});

 private:
  struct Clip;  ///< what is known of the clip at hand

  void check_usage(const Job& job) const;
  bool is_left_out(Clip& clip) const;
  void read_image(Clip& clip) const;
  static void read_noise(Clip& clip);
  void open_model(Clip& clip);
  static void turn_preset_size(Clip& clip);
  void resolve(Clip& clip) const;
  void identify(Clip& clip) const;
  bool is_adopted(const Clip& clip) const;
  bool is_planned_only(Clip& clip) const;
  void announce(const Clip& clip) const;
  void run(Clip& clip);
  std::stop_token stop();

  Console& console_;
  ClipRendererOptions options_;
  std::function<std::stop_token()> begin_;
  std::optional<std::stop_token> stop_;
  Progress progress_;
  std::unique_ptr<Generator> generator_;
  std::string opened_;              ///< which model that is
  std::set<std::string> previews_;  ///< written here
};

}  // namespace svd::cli
