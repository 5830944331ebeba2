#include "cli/train.h"

#include <ATen/Parallel.h>
#include <fmt/core.h>

#include <exception>
#include <string>

#include "cli/progress.h"
#include "cli/training_views.h"
#include "pipeline/cpu_memory.h"
#include "pipeline/device.h"
#include "pipeline/errors.h"
#include "pipeline/threads.h"
#include "svd/error.h"
#include "training/trainer.h"
#include "weights/model_search.h"

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

/// Settings that need less memory, of those that the stage reads.
std::string memory_hint(const training::TrainConfig& config) {
  std::string hint = "a smaller 'batch', with a larger 'accumulate' for it, needs less";
  if (training::trains_vae(config.stage)) return hint + ", and so does 'crop'";
  return config.gradient_checkpointing ? hint : hint + ", and so does 'gradient_checkpointing'";
}

}  // namespace

void train(const TrainOptions& options, Console& console, SignalWatcher& signals) {
  training::TrainConfig config = training::read_train_config(options.config);
  config.model = weights::find_model(config.model.string(), {}).path;
#ifdef SVD_HAVE_MEDIA
  check_samples(config);
#else
  if (!config.samples.empty())
    throw Error(ErrorKind::usage, "this build of svd-gen renders no samples",
                "leave 'samples' out, or build it with -DSVD_MEDIA=ON");
#endif
  const std::stop_token stop =
      signals.begin([&console] { console.info("stopping after this step ... (again to force)"); });
  const c10::Device device = pipeline::select_device(options.device);
  const int threads = options.threads.value_or(pipeline::default_threads());
  set_up_process(threads);
  console.info("training on " + pipeline::describe(device));
  if (config.bfloat16 && pipeline::resolve_dtype(Dtype::automatic, device) != Dtype::bfloat16)
    console.warning(
        fmt::format("this {} has no bfloat16 arithmetic: it trains faster with \"bfloat16\": false",
                    device.is_cuda() ? "GPU" : "CPU"));
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
    if (!config.samples.empty())
      pipeline::empty_cache(device);  // rendering plans with what is free
    show_training(config, step, model, {device.str(), threads}, console, stop);
    set_up_process(threads);  // rendering has its own ways
#endif
  };
  try {
    training::train(config, device, options.resume, hooks, stop);
  } catch (const std::exception& error) {
    if (!pipeline::is_out_of_memory(error)) throw;
    std::throw_with_nested(
        Error(ErrorKind::device, "out of memory while training", memory_hint(config)));
  }
}

}  // namespace svd::cli
