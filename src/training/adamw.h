#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "training/train_config.h"

namespace svd::training {

/// A parameter that is trained: a leaf tensor that requires gradients, float32, on any device.
struct Trainable {
  std::string name;
  at::Tensor value;
};

/// Decoupled weight decay (arXiv 1711.05101) with torch's fused step, warm-up and clipping, and the
/// exponential moving average of the parameters. Vectors (biases, norms, blends) do not decay.
class AdamW {
 public:
  AdamW(std::vector<Trainable> parameters, const TrainConfig& config);

  /// The learning rate of step `step`, from 0: rises over warmup_steps, then stays, or falls along
  /// a cosine to a tenth.
  double learning_rate(std::int64_t step) const;

  /// Takes the step with the gradients there are, and forgets them. Returns the norm that all of
  /// them had before clipping; if that is no number, nothing changes.
  double step(std::int64_t step);

  const std::vector<Trainable>& parameters() const { return parameters_; }
  const std::vector<at::Tensor>& averages() const { return averages_; }

  /// Parameters, their averages and moments under names, for a checkpoint.
  std::vector<std::pair<std::string, at::Tensor>> state() const;
  void set_steps_done(std::int64_t steps);

 private:
  void update(const std::vector<std::size_t>& group, double rate, double weight_decay);
  void average(std::int64_t step);

  TrainConfig config_;
  std::vector<Trainable> parameters_;
  std::vector<at::Tensor> averages_;
  std::vector<at::Tensor> first_moments_;
  std::vector<at::Tensor> second_moments_;
  std::vector<at::Tensor>
      steps_done_;  ///< float32 [] each on its device, as the fused step wants it
  std::vector<std::size_t> decaying_;
  std::vector<std::size_t> others_;
};

}  // namespace svd::training
