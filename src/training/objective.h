#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "nn/module.h"
#include "training/adamw.h"
#include "training/batches.h"
#include "training/model_folder.h"

namespace svd::training {

/// What is minimised, over which network. Every random number of a call comes from `generator`,
/// or from the seed and a clip.
class Objective {
 public:
  virtual ~Objective() = default;

  /// The parameters that are trained.
  virtual std::vector<Trainable> trainables() = 0;

  /// The loss of a batch, a scalar with gradients.
  virtual at::Tensor loss(const std::vector<ClipRef>& clips, const at::Generator& generator) = 0;

  /// A name for what the objective was made with and a checkpoint does not hold, such as frozen
  /// weights: the same weights, the same name.
  virtual const std::string& base_id() const = 0;

  /// The parts of a loss, for the metrics.
  virtual std::map<std::string, double> details() const { return {}; }

  /// What a checkpoint has to hold besides the optimiser's; restored by writing to the tensors.
  virtual std::vector<std::pair<std::string, at::Tensor>> state() const { return {}; }

  /// Writes the trained model into a diffusers folder that does not exist yet. `values`: the
  /// weights to write in place of the trained ones, as `trainables` orders them.
  virtual void save(const std::filesystem::path& folder, const std::vector<at::Tensor>& values) = 0;
};

/// Those of the parameters that `is_trained` names, which from now on require gradients.
std::vector<Trainable> trained_among(const std::vector<nn::Parameter>& parameters,
                                     const std::function<bool(const std::string&)>& is_trained);

/// All parameters for a file, the trained ones with `values`, which are ordered as above.
NamedTensors with_values(const std::vector<nn::Parameter>& parameters,
                         const std::function<bool(const std::string&)>& is_trained,
                         const std::vector<at::Tensor>& values, bool float16);

/// Normal numbers, drawn on the CPU: a seed gives the same ones on every device.
at::Tensor normal(at::IntArrayRef shape, const at::Generator& generator, const c10::Device& device);

/// Frames [N, F, H, W, 3] of the clips, uint8: the first `frames`, or all if that is 0.
at::Tensor frames_of(const std::vector<ClipRef>& clips, std::int64_t frames);

/// uint8 [N, H, W, 3] -> float32 [N, 3, H, W] in [-1, 1], channels-last.
at::Tensor to_pixels(const at::Tensor& frames);

}  // namespace svd::training
