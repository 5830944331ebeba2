#include "cli/train.h"

#include <ATen/Parallel.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <exception>
#include <string>
#include <utility>
#include <vector>

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
  std::vector<std::string> settings;
  if (config.batch > 1) settings.emplace_back("a smaller 'batch', with a larger 'accumulate'");
  if (training::trains_vae(config.stage))
    settings.emplace_back("a smaller 'crop'");
  else if (!config.gradient_checkpointing)
    settings.emplace_back("'gradient_checkpointing'");
  if (!config.bfloat16) settings.emplace_back("'bfloat16'");
  if (config.stage != training::Stage::vae_image && config.stage != training::Stage::image)
    settings.emplace_back("fewer 'frames'");
  settings.emplace_back("smaller clips");
  return fmt::format("what needs less: {}", fmt::join(settings, "; "));
}

/// The settings, checked as far as that needs no weights and no data.
training::TrainConfig read_config(const TrainOptions& options, Console& console) {
  training::TrainConfig config = training::read_train_config(options.config);
  training::check_run(config, options.resume);
#ifdef SVD_HAVE_MEDIA
  check_samples(config);
#else
  if (!config.samples.empty())
    throw Error(ErrorKind::usage, "this build of svd-gen renders no samples",
                "leave 'samples' out, or build it with -DSVD_MEDIA=ON");
#endif
  const weights::FoundModel model = weights::find_model(config.model.string(), {});
  config.model_name = std::exchange(config.model, model.path).string();
  if (!model.notice.empty()) console.warning(model.notice);
  return config;
}

training::TrainHooks hooks_of(const training::TrainConfig& config,
                              [[maybe_unused]] const Compute& compute, Console& console,
                              [[maybe_unused]] const std::stop_token& stop) {
  training::TrainHooks hooks;
  hooks.on_message = [&console](const std::string& text) { console.info(text); };
  hooks.on_encoding = [&console, told = false](std::int64_t done, std::int64_t total) mutable {
    if (!told) console.info(fmt::format("encoding {} clips, once for this VAE", total));
    told = true;
    console.status(fmt::format("encoding clips {}/{}", done + 1, total));
  };
  hooks.on_step = [&config, &console](const training::StepReport& report) {
    const double left = double(config.steps - report.step) * report.seconds_per_step;
    console.info(fmt::format("step {}/{}: loss {:.4f}{}, {:.2f} s a step, {} left", report.step,
                             config.steps, report.loss, details_text(report),
                             report.seconds_per_step, format_seconds(left)));
  };
  hooks.on_checkpoint = [=, &config, &console](std::int64_t step,
                                               const std::filesystem::path& model) {
    console.info(fmt::format("{}: model after step {}", model.string(), step));
#ifdef SVD_HAVE_MEDIA
    if (!config.samples.empty())
      pipeline::empty_cache(c10::Device(compute.device));  // rendering plans with what is free
    show_training(config, step, model, compute, console, stop);
    set_up_process(compute.threads);  // rendering has its own ways
#endif
  };
  return hooks;
}

}  // namespace

void train(const TrainOptions& options, Console& console, SignalWatcher& signals) {
  const training::TrainConfig config = read_config(options, console);
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
  try {
    training::train(config, device, options.resume,
                    hooks_of(config, {device.str(), threads}, console, stop), stop);
  } catch (const std::exception& error) {
    if (!pipeline::is_out_of_memory(error)) throw;
    const auto* const torchs = dynamic_cast<const c10::Error*>(&error);
    std::throw_with_nested(
        Error(ErrorKind::device,
              fmt::format("out of memory while training: {}",
                          torchs != nullptr ? torchs->what_without_backtrace() : error.what()),
              memory_hint(config)));
  }
}

}  // namespace svd::cli
