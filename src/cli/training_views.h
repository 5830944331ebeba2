#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>

#include "cli/console.h"
#include "training/train_config.h"

namespace svd::cli {

/// Where samples are rendered.
struct Compute {
  std::string device;
  int threads;
};

/// What a person looks at after a checkpoint of `config`'s run, in its output folder: loss.png, and
/// of every picture in its `samples` the clip that the model makes now, samples/STEM-STEP.mp4. What
/// fails is told as a warning: a run does not end for it. Once `stop` is requested, no sample is
/// begun and the one at hand ends. What rendering sets for the process is the caller's to set
/// again.
void show_training(const training::TrainConfig& config, std::int64_t step,
                   const std::filesystem::path& model, const Compute& compute, Console& console,
                   const std::stop_token& stop);

/// Throws Error{image} if a picture of `samples` cannot be read.
void check_samples(const training::TrainConfig& config);

}  // namespace svd::cli
