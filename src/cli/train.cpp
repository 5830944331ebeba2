#include "cli/train.h"

#include <ATen/Parallel.h>
#include <fmt/core.h>

#include "cli/progress.h"
#include "cli/training_views.h"
#include "pipeline/cpu_memory.h"
#include "pipeline/device.h"
#include "pipeline/threads.h"
#include "svd/error.h"
#include "training/trainer.h"

namespace svd::cli {
namespace {

/// The graph of a step is freed at its end and asked for again in the next.
constexpr std::int64_t kCachedBytes = std::int64_t{2} << 30;

void set_up_process(int threads) {
  at::set_num_threads(threads);
  pipeline::install_cpu_cache(kCachedBytes);
}

std::string details_text(const training::StepReport& report) {
  std::string text;
  for (const auto& [name, value] : report.details) text += fmt::format(", {} {:.3g}", name, value);
  return text;
}

}  // namespace

void train(const TrainOptions& options, Console& console, SignalWatcher& signals) {
  const training::TrainConfig config = training::read_train_config(options.config);
#ifdef SVD_HAVE_MEDIA
  check_samples(config);
#else
  if (!config.samples.empty())
    throw Error(ErrorKind::usage, "this build of svd-gen renders no samples",
                "leave 'samples' out, or build it with -DSVD_MEDIA=ON");
#endif
  const std::stop_token stop =
      signals.begin([&console] { console.info("stopping after this step ... (again to force)"); });
  if (config.bfloat16 && pipeline::resolve_dtype(Dtype::automatic, at::kCPU) != Dtype::bfloat16)
    console.warning(
        "this CPU has no bfloat16 arithmetic: it trains faster with \"bfloat16\": false");
  const int threads = options.threads.value_or(pipeline::default_threads());
  set_up_process(threads);
  training::TrainHooks hooks;
  hooks.on_message = [&](const std::string& text) { console.info(text); };
  hooks.on_encoding = [&, told = false](std::int64_t done, std::int64_t total) mutable {
    if (!told) console.info(fmt::format("encoding {} clips, once for this VAE", total));
    told = true;
    console.status(fmt::format("encoding clips {}/{}", done + 1, total));
  };
  hooks.on_step = [&](const training::StepReport& report) {
    const double left = double(config.steps - report.step) * report.seconds_per_step;
    console.info(fmt::format("step {}/{}: loss {:.4f}{}, {:.2f} s a step, {} left", report.step,
                             config.steps, report.loss, details_text(report),
                             report.seconds_per_step, format_seconds(left)));
  };
  hooks.on_checkpoint = [&](std::int64_t step, const std::filesystem::path& model) {
    console.info(fmt::format("{}: model after step {}", model.string(), step));
#ifdef SVD_HAVE_MEDIA
    show_training(config, step, model, threads, console, stop);
    set_up_process(threads);  // rendering has its own ways
#endif
  };
  training::train(config, options.resume, hooks, stop);
}

}  // namespace svd::cli
