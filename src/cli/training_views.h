#pragma once

#include <cstdint>
#include <filesystem>

#include "cli/console.h"
#include "training/train_config.h"

namespace svd::cli {

/// What a person looks at after a checkpoint of `config`'s run, in its output folder: loss.png, and
/// of every picture in its `samples` the clip that the model makes now, samples/STEM-STEP.mp4. What
/// fails is told as a warning: a run does not end for it.
void show_training(const training::TrainConfig& config, std::int64_t step,
                   const std::filesystem::path& model, Console& console);

}  // namespace svd::cli
