#include "training/trainer.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "base/atomic_file.h"
#include "base/folder_lock.h"
#include "base/json.h"
#include "base/new_folder.h"
#include "svd/error.h"
#include "training/draw.h"
#include "training/unet_objective.h"
#include "training/vae_objective.h"
#include "training/weights_in.h"
#include "weights/config_reader.h"
#include "weights/folder.h"
#include "weights/model_search.h"
#include "weights/safetensors.h"

namespace svd::training {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr const char* kCheckpoint = "checkpoint.safetensors";
constexpr std::int64_t kUncropped = std::numeric_limits<std::int64_t>::max();
constexpr const char* kMetrics = "metrics.jsonl";
constexpr const char* kModel = "model";
constexpr const char* kStep = "step";      // of the checkpoint's metadata: steps done ...
constexpr const char* kConfig = "config";  // ... and the settings

constexpr const char* kSettings = "config.json";

/// Settings that a resumed run may have otherwise; of the model only the name.
constexpr const char* kFree[] = {"steps",   "output",  "data", "log_every", "checkpoint_every",
                                 "samples", "bfloat16"};

std::string line_of(const StepReport& report) {
  nlohmann::ordered_json json = {{"step", report.step},
                                 {"loss", report.loss},
                                 {"gradient_norm", report.gradient_norm},
                                 {"learning_rate", report.learning_rate},
                                 {"seconds_per_step", report.seconds_per_step}};
  for (const auto& [name, value] : report.details) json[name] = value;
  return one_line(json);
}

/// The lines of the metrics up to a step: what a resumed run computes again is left out.
std::string metrics_until(const fs::path& path, std::int64_t step) {
  std::ifstream in(path);
  std::string kept, line;
  while (std::getline(in, line)) {
    const Json json = Json::parse(line, nullptr, false);
    if (!json.is_object() || json.value("step", std::int64_t{0}) > step) break;
    kept += line + "\n";
  }
  return kept;
}

/// Numbers of a step, and of a batch in it, that have nothing to do with those of another.
at::Generator generator_of(std::uint64_t seed, std::int64_t batch) {
  Draw draw(seed ^ (static_cast<std::uint64_t>(batch) * 0x9e3779b97f4a7c15U));
  return at::detail::createCPUGenerator(draw.seed());
}

/// Throws Error{usage} for clips with a side that the networks cannot halve as often as they do.
void check_sizes(const TrainConfig& config, const Batches& batches) {
  const ModelConfig model = weights::read_folder_config(config.model);
  const std::int64_t multiple =
      trains_vae(config.stage) ? model.vae.factor() : model.size_multiple();
  const std::int64_t crop = trains_vae(config.stage) && config.crop > 0 ? config.crop : kUncropped;
  for (const ClipRef& clip : batches.shapes()) {
    const ClipInfo& info = clip.info();
    const std::int64_t width = std::min(info.width, crop), height = std::min(info.height, crop);
    if (width % multiple == 0 && height % multiple == 0) continue;
    throw Error(ErrorKind::usage,
                fmt::format("{} of {}x{} in {}: sides have to be multiples of {}",
                            crop == kUncropped ? "frames" : "squares ('crop')", width, height,
                            clip.cache->folder().string(), multiple),
                trains_vae(config.stage) ? "'crop' trains on squares" : "");
  }
}

/// Tells of parts that begin at random. Throws Error{model} if that is the UNet of a LoRA, and for
/// damaged files.
void check_weights(const TrainConfig& config, const TrainHooks& hooks) {
  for (const weights::Part part :
       {weights::Part::unet, weights::Part::vae, weights::Part::image_encoder}) {
    const auto [name, stem] = place_of(part);
    const fs::path folder = config.model / name;
    if (has_weights(folder)) {
      weights::open_part_files(weights::choose_part_files(folder, stem));
      continue;
    }
    if (part == weights::Part::unet && config.stage == Stage::lora)
      throw Error(ErrorKind::model, fmt::format("{} has no weights", folder.string()),
                  "a LoRA changes a finished model");
    if (trains_vae(config.stage) == (part == weights::Part::vae))
      hooks.on_message(fmt::format("{} has no weights: it begins at random", folder.string()));
  }
}

std::unique_ptr<Objective> make_objective(const TrainConfig& config, Batches& batches,
                                          const c10::Device& device, const TrainHooks& hooks,
                                          const std::stop_token& stop) {
  check_weights(config, hooks);
  check_sizes(config, batches);
  if (trains_vae(config.stage)) return std::make_unique<VaeObjective>(config, batches, device);
  const auto on_encoding = [&](std::int64_t done, std::int64_t total) {
    if (stop.stop_requested()) throw Error(ErrorKind::interrupted, "stopped while encoding");
    hooks.on_encoding(done, total);
  };
  return std::make_unique<UNetObjective>(config, batches.caches(), device, on_encoding);
}

constexpr const char* kBeginAnew =
    "this run cannot go on: begin a new one in another 'output'; its folder model/ holds what was "
    "saved last";

/// The checkpoint that a run goes on from.
struct BegunRun {
  std::shared_ptr<const weights::SafetensorsFile> file;
  std::int64_t step = 0;
};

std::shared_ptr<const weights::SafetensorsFile> open_checkpoint(const fs::path& path) {
  try {
    return weights::SafetensorsFile::open(path);
  } catch (const Error& error) {
    throw Error(error.kind(), error.what(), kBeginAnew);
  }
}

/// Whether two names, or paths, stand for one model.
bool is_one_model(const std::string& a, const std::string& b) {
  if (a == b) return true;
  try {
    std::error_code code;
    return fs::equivalent(weights::find_model(a, {}).path, weights::find_model(b, {}).path, code);
  } catch (const Error&) {
    return false;
  }
}

/// Throws Error{model} if the file is no checkpoint of a run, Error{usage} if the run had other
/// settings.
BegunRun open_begun_run(const TrainConfig& config) {
  BegunRun begun{open_checkpoint(config.output / kCheckpoint)};
  const auto& metadata = begun.file->metadata();
  const auto step = metadata.find(kStep), settings = metadata.find(kConfig);
  nlohmann::ordered_json before;
  if (settings != metadata.end())
    before = nlohmann::ordered_json::parse(settings->second, nullptr, false);
  const char* const end =
      step == metadata.end() ? nullptr : step->second.data() + step->second.size();
  if (end == nullptr || !before.is_object() ||
      std::from_chars(step->second.data(), end, begun.step).ptr != end || begun.step < 0)
    throw Error(ErrorKind::model,
                fmt::format("{} is no checkpoint of a training run", begun.file->path().string()),
                kBeginAnew);
  const nlohmann::ordered_json defaults = to_json(TrainConfig{});
  for (const auto& [key, value] : defaults.items())
    if (!before.contains(key)) before[key] = value;  // of a version without it
  const nlohmann::ordered_json now = to_json(config);
  for (const auto& [key, value] : now.items()) {
    const bool is_free = std::find(std::begin(kFree), std::end(kFree), key) != std::end(kFree);
    if (is_free || before[key] == value) continue;
    if (key == "model" && before[key].is_string() &&
        is_one_model(before[key].get<std::string>(), value.get<std::string>()))
      continue;
    throw Error(ErrorKind::usage,
                fmt::format("--resume: '{}' is {}, the run began with {}", key, value.dump(),
                            before[key].dump()),
                config.stage == Stage::lora
                    ? "begin a new run in another 'output'"
                    : "begin a new run in another 'output', with 'model' the folder that this one "
                      "has written");
  }
  return begun;
}

/// A run between its checkpoints.
class Run {
 public:
  Run(const TrainConfig& config, const c10::Device& device, const TrainHooks& hooks,
      const std::stop_token& stop)
      : config_(config),
        hooks_(hooks),
        batches_(config),
        objective_(make_objective(config, batches_, device, hooks, stop)),
        optimiser_(objective_->trainables(), config) {
    std::int64_t count = 0;
    for (const Trainable& parameter : optimiser_.parameters()) count += parameter.value.numel();
    hooks_.on_message(fmt::format("stage {}: {:.2f} million parameters to train, {} clips",
                                  to_string(config.stage), double(count) / 1e6, batches_.clips()));
  }

  void start_anew() {
    write_text_file(config_.output / kSettings, to_json(config_).dump(2) + "\n", true);
    write_text_file(config_.output / kMetrics, "", true);
  }

  void restore(const BegunRun& begun) {
    const auto& file = begun.file;
    for (const auto& [name, tensor] : state()) {
      const weights::TensorInfo* const info = file->find(name);
      if (info == nullptr || info->shape != tensor.sizes().vec())
        throw Error(ErrorKind::model,
                    fmt::format("{}: '{}' does not fit", file->path().string(), name));
      at::Tensor(tensor).copy_(file->tensor(*info));
    }
    step_ = begun.step;
    optimiser_.set_steps_done(step_);
    write_text_file(config_.output / kMetrics, metrics_until(config_.output / kMetrics, step_),
                    true);
    hooks_.on_message(step_ < config_.steps
                          ? fmt::format("going on after step {}", step_)
                          : fmt::format("nothing is left to do: {} of {} 'steps' are done", step_,
                                        config_.steps));
  }

  void steps(const std::stop_token& stop) {
    std::ofstream metrics(config_.output / kMetrics, std::ios::app);
    Clock::time_point begin = Clock::now();
    StepReport sum;
    std::int64_t counted = 0;
    while (step_ < config_.steps && !stop.stop_requested()) {
      const double rate = optimiser_.learning_rate(step_);
      sum.loss += one_step(sum.gradient_norm);
      ++counted;
      if (step_ % config_.log_every == 0 || step_ == config_.steps) {
        sum.step = step_;
        sum.loss /= double(counted);
        sum.gradient_norm /= double(counted);
        sum.learning_rate = rate;
        const auto now = Clock::now();
        sum.seconds_per_step = std::chrono::duration<double>(now - begin).count() / double(counted);
        sum.details = objective_->details();
        metrics << line_of(sum) << std::endl;
        hooks_.on_step(sum);
        sum = {};
        counted = 0;
        begin = now;
      }
      if (step_ % config_.checkpoint_every == 0 && step_ < config_.steps) save();
    }
    save();
    if (step_ < config_.steps)
      throw Error(ErrorKind::interrupted, fmt::format("stopped after step {}", step_),
                  "--resume goes on from there");
  }

 private:
  /// Loss and norm of the gradients.
  double one_step(double& norms) {
    double total = 0;
    for (std::int64_t i = 0; i < config_.accumulate; ++i) {
      const std::int64_t batch = step_ * config_.accumulate + i;
      const at::Tensor loss =
          objective_->loss(batches_.at(batch), generator_of(config_.seed, batch));
      total += loss.item<double>();
      torch::autograd::backward({loss / double(config_.accumulate)}, {});
    }
    const double norm = optimiser_.step(step_);
    if (!std::isfinite(total) || !std::isfinite(norm))
      throw Error(
          ErrorKind::usage,
          fmt::format("{} of step {} is no number any more ('learning_rate' {}, 'clip_norm' {})",
                      std::isfinite(total) ? "the gradient" : "the loss", step_ + 1,
                      config_.learning_rate, config_.clip_norm),
          "begin a new run in another 'output' with a lower 'learning_rate', or with a "
          "'clip_norm' of 1; the last checkpoint is as it was");
    ++step_;
    norms += norm;
    return total / double(config_.accumulate);
  }

  std::vector<std::pair<std::string, at::Tensor>> state() const {
    auto all = optimiser_.state();
    for (auto& entry : objective_->state()) all.push_back(std::move(entry));
    return all;
  }

  void save() {
    weights::save_safetensors(config_.output / kCheckpoint, state(),
                              {{kStep, std::to_string(step_)}, {kConfig, to_json(config_).dump()}});
    const fs::path model = config_.output / kModel;
    objective_->save(model, optimiser_.averages());
    hooks_.on_checkpoint(step_, model);
  }

  TrainConfig config_;
  const TrainHooks& hooks_;
  Batches batches_;
  std::unique_ptr<Objective> objective_;
  AdamW optimiser_;
  std::int64_t step_ = 0;
};

bool has_checkpoint(const fs::path& folder) {
  std::error_code code;
  return fs::exists(folder / kCheckpoint, code);
}

/// Without a checkpoint, if it was killed before the first.
bool holds_run(const fs::path& folder) {
  std::error_code code;
  return has_checkpoint(folder) ||
         (fs::exists(folder / kSettings, code) && fs::exists(folder / kMetrics, code) &&
          !fs::exists(folder / kModel, code));
}

}  // namespace

void check_run(const TrainConfig& config, bool resume) {
  std::error_code code;
  const fs::path& output = config.output;
  const bool is_begun = holds_run(output);
  if (!is_begun && resume)
    throw Error(ErrorKind::usage, fmt::format("--resume: {} holds no run", output.string()),
                "without --resume one begins there");
  if (is_begun && !resume)
    throw Error(ErrorKind::output, fmt::format("{} holds a training run already", output.string()),
                "go on with --resume, or choose another 'output'");
  if (!is_begun && fs::exists(output, code) &&
      !(fs::is_directory(output, code) && fs::is_empty(output, code)))
    throw Error(ErrorKind::output,
                fmt::format("'output' is {}, which {}", output.string(),
                            fs::is_directory(output, code) ? "is not empty" : "is no folder"),
                "choose another one");
  if (has_checkpoint(output)) open_begun_run(config);
}

void train(const TrainConfig& config, const c10::Device& device, bool resume,
           const TrainHooks& hooks, std::stop_token stop) {
  check_run(config, resume);
  std::error_code code;
  if (!fs::is_directory(config.model / to_string(weights::Part::unet), code))
    throw Error(ErrorKind::model,
                fmt::format("'model' is {}, which is no diffusers folder", config.model.string()),
                "one has the folders unet, vae and image_encoder");
  std::optional<NewFolder> made;
  std::optional<FolderLock> begun;
  if (resume)
    begun.emplace(config.output);
  else
    made.emplace(config.output);
  Run run(config, device, hooks, stop);
  if (has_checkpoint(config.output))
    run.restore(open_begun_run(config));
  else
    run.start_anew();
  if (made) made->keep();
  run.steps(stop);
}

}  // namespace svd::training
