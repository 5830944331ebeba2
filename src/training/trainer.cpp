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
// Of the checkpoint's metadata:
constexpr const char* kStep = "step";      // steps done
constexpr const char* kConfig = "config";  // the settings
constexpr const char* kBase = "base";      // Objective::base_id
constexpr const char* kWindow = "window";  // Window

constexpr const char* kSettings = "config.json";

/// Settings that a resumed run may have otherwise; of the model only the name.
constexpr const char* kFree[] = {"steps",   "output",  "data", "log_every", "checkpoint_every",
                                 "samples", "bfloat16"};

/// Sums over the steps since the last whole report.
struct Window {
  double loss = 0;
  double gradient_norm = 0;
  double seconds = 0;
  std::int64_t steps = 0;
};

std::string to_text(const Window& window) {
  return one_line({{"loss", window.loss},
                   {"gradient_norm", window.gradient_norm},
                   {"seconds", window.seconds},
                   {"steps", window.steps}});
}

/// Nothing for a text that is none.
std::optional<Window> parse_window(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  try {
    return Window{json.at("loss").get<double>(), json.at("gradient_norm").get<double>(),
                  json.at("seconds").get<double>(), json.at("steps").get<std::int64_t>()};
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

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
    if (!batches_.left_out().empty())
      hooks_.on_message(fmt::format("left out, fewer than a 'batch' of {}: {}", config.batch,
                                    batches_.left_out()));
  }

  void start_anew() {
    write_text_file(config_.output / kMetrics, "", true);  // first: it tells that a run began
    write_settings();
  }

  void restore(const BegunRun& begun) {
    const auto& file = begun.file;
    const auto base = file->metadata().find(kBase);
    if (base == file->metadata().end())
      throw Error(ErrorKind::model,
                  fmt::format("{} is of an older version of svd-gen", file->path().string()),
                  kBeginAnew);
    if (base->second != objective_->base_id())
      throw Error(ErrorKind::usage,
                  fmt::format("--resume: the weights of 'model' ({}) are not those that the run "
                              "began with",
                              config_.model.string()),
                  "begin a new run in another 'output'");
    for (const auto& [name, tensor] : state()) {
      const weights::TensorInfo* const info = file->find(name);
      if (info == nullptr || info->shape != tensor.sizes().vec())
        throw Error(ErrorKind::model,
                    fmt::format("{}: '{}' does not fit", file->path().string(), name));
      at::Tensor(tensor).copy_(file->tensor(*info));
    }
    step_ = begun.step;
    saved_step_ = step_;
    optimiser_.set_steps_done(step_);
    const auto window = file->metadata().find(kWindow);
    if (window != file->metadata().end()) window_ = parse_window(window->second).value_or(Window());
    if (step_ < config_.steps) write_settings();
    write_text_file(config_.output / kMetrics, metrics_until(config_.output / kMetrics, step_),
                    true);
    if (step_ < config_.steps) {
      hooks_.on_message(fmt::format("going on after step {}", step_));
      return;
    }
    hooks_.on_message(
        fmt::format("nothing is left to do: {} of {} 'steps' are done", step_, config_.steps));
    save_model();  // a run that was killed may have left the one before
  }

  void steps(const std::stop_token& stop) {
    std::ofstream metrics(config_.output / kMetrics, std::ios::app);
    while (step_ < config_.steps && !stop.stop_requested()) {
      const double rate = optimiser_.learning_rate(step_);
      const Clock::time_point begin = Clock::now();
      window_.loss += one_step(window_.gradient_norm);
      window_.seconds += std::chrono::duration<double>(Clock::now() - begin).count();
      ++window_.steps;
      const bool is_whole = step_ % config_.log_every == 0;
      if (is_whole || step_ == config_.steps) report(metrics, rate);
      if (is_whole) window_ = {};
      if (step_ % config_.checkpoint_every == 0) save();
    }
    if (step_ != saved_step_) save();
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

  /// Of the window so far, with the rate of its last step.
  void report(std::ofstream& metrics, double rate) {
    const auto steps = double(window_.steps);
    const StepReport report{step_, window_.loss / steps,    window_.gradient_norm / steps,
                            rate,  window_.seconds / steps, objective_->details()};
    metrics << line_of(report) << std::endl;
    if (!metrics) {
      save();
      throw Error(ErrorKind::output,
                  fmt::format("{}: cannot be written", (config_.output / kMetrics).string()),
                  "--resume goes on from this step");
    }
    hooks_.on_step(report);
  }

  void write_settings() const {
    write_text_file(config_.output / kSettings, to_json(config_).dump(2) + "\n", true);
  }

  std::vector<std::pair<std::string, at::Tensor>> state() const {
    auto all = optimiser_.state();
    for (auto& entry : objective_->state()) all.push_back(std::move(entry));
    return all;
  }

  void save_model() { objective_->save(config_.output / kModel, optimiser_.averages()); }

  void save() {
    weights::save_safetensors(config_.output / kCheckpoint, state(),
                              {{kStep, std::to_string(step_)},
                               {kConfig, to_json(config_).dump()},
                               {kBase, objective_->base_id()},
                               {kWindow, to_text(window_)}});
    save_model();
    saved_step_ = step_;
    hooks_.on_checkpoint(step_, config_.output / kModel);
  }

  TrainConfig config_;
  const TrainHooks& hooks_;
  Batches batches_;
  std::unique_ptr<Objective> objective_;
  AdamW optimiser_;
  std::int64_t step_ = 0;
  std::int64_t saved_step_ = -1;  ///< the last one that a checkpoint holds
  Window window_;
};

bool has_checkpoint(const fs::path& folder) {
  std::error_code code;
  return fs::exists(folder / kCheckpoint, code);
}

/// Without a checkpoint, if it was killed before the first.
bool holds_run(const fs::path& folder) {
  std::error_code code;
  if (has_checkpoint(folder)) return true;
  if (!fs::exists(folder / kMetrics, code) || fs::exists(folder / kModel, code)) return false;
  return fs::exists(folder / kSettings, code) || fs::is_empty(folder / kMetrics, code);
}

}  // namespace

void check_run(const TrainConfig& config, bool resume) {
  std::error_code code;
  const fs::path& output = config.output;
  const bool is_begun = holds_run(output);
  const bool is_free =
      !fs::exists(output, code) || (fs::is_directory(output, code) && fs::is_empty(output, code));
  const bool is_made =
      is_free && fs::exists(output, code);  // by a run that was killed while encoding
  if (!is_begun && resume && !is_made)
    throw Error(
        ErrorKind::usage, fmt::format("--resume: {} holds no run that can go on", output.string()),
        is_free ? "without --resume one begins there" : "begin a new run in another 'output'");
  if (is_begun && !resume)
    throw Error(ErrorKind::output, fmt::format("{} holds a training run already", output.string()),
                "go on with --resume, or choose another 'output'");
  if (!is_begun && !is_free)
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
  if (resume) {
    begun.emplace(config.output);
    remove_abandoned(config.output);
  } else {
    made.emplace(config.output);
  }
  Run run(config, device, hooks, stop);
  if (has_checkpoint(config.output))
    run.restore(open_begun_run(config));
  else
    run.start_anew();
  if (made) made->keep();
  run.steps(stop);
}

}  // namespace svd::training
