#pragma once

#include <functional>
#include <vector>

#include "nn/module.h"

namespace svd::nn {

/// While one of these is alive and `enabled`, res blocks and transformers keep only their inputs
/// for the backward pass and are computed again in it (arXiv 1604.06174): more time, less memory,
/// the same gradients. diffusers: enable_gradient_checkpointing.
class GradientCheckpointing {
 public:
  explicit GradientCheckpointing(bool enabled);
  ~GradientCheckpointing();
  GradientCheckpointing(const GradientCheckpointing&) = delete;
  GradientCheckpointing& operator=(const GradientCheckpointing&) = delete;

  static bool is_enabled();

 private:
  bool previous_;
};

/// compute(inputs), computed again in the backward pass. Gradients reach `inputs`, of which all but
/// one may be undefined, and the leaf tensors that `compute` reads besides. `compute` must be
/// repeatable, and outlive the graph.
Tensor checkpoint(std::function<Tensor(const std::vector<Tensor>&)> compute,
                  std::vector<Tensor> inputs);

}  // namespace svd::nn
