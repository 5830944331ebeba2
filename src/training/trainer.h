#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <stop_token>
#include <string>

#include "training/train_config.h"

namespace svd::training {

/// A step of training, as the metrics have it.
struct StepReport {
  std::int64_t step = 0;  ///< steps done
  double loss = 0;        ///< mean since the last report
  double gradient_norm = 0;
  double learning_rate = 0;
  double seconds_per_step = 0;
  std::map<std::string, double> details;
};

/// What a training run tells; nothing of it may throw.
struct TrainHooks {
  std::function<void(const std::string& text)> on_message;
  /// While latents are encoded.
  std::function<void(std::int64_t done, std::int64_t total)> on_encoding;
  std::function<void(const StepReport& report)> on_step;
  /// The model of the run's folder was written.
  std::function<void(std::int64_t step, const std::filesystem::path& model)> on_checkpoint;
};

/// What is wrong with beginning, or resuming, the run of `config`, as far as that needs no model
/// and no data. Throws Error{usage}, Error{output} or, of a damaged checkpoint, Error{model}.
void check_run(const TrainConfig& config, bool resume);

/// Trains as `config` says on `device`, whose CUDA module is loaded. In its output folder it leaves
///
///     config.json              what was asked for
///     metrics.jsonl            a StepReport a line
///     checkpoint.safetensors   parameters, averages and moments: what `resume` goes on from
///     model/                   a diffusers folder with the averaged weights; of the stage lora
///                              weights::kLoraFile alone
///
/// where the last two are written anew at every checkpoint and at the end. All that is random in a
/// step comes from the seed and the step's number, so that a resumed run computes what an
/// uninterrupted one would have (on a CUDA device, but for the order of its sums). An output folder
/// that is not empty is Error{output} without `resume`, one that another run writes always. When
/// `stop` is requested, it writes a checkpoint and throws Error{interrupted}. Throws Error
/// otherwise as its parts do; a loss that is no number is Error{usage}.
void train(const TrainConfig& config, const c10::Device& device, bool resume,
           const TrainHooks& hooks, std::stop_token stop);

}  // namespace svd::training
