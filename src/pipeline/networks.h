#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

#include "nn/module.h"
#include "weights/checkpoint.h"

namespace svd::pipeline {

/// Compares all three parts of a checkpoint with the networks its configuration describes, without
/// allocating them. One line for each missing, unexpected and mis-shaped key; empty: complete.
std::vector<std::string> check_weights(const weights::Checkpoint& checkpoint);

/// Fills every parameter of `network` that inference reads from `part`, as `dtype` on `device`, and
/// folds the network. What has to be converted is converted tensor by tensor, its file pages given
/// back at once; weights that are used as they are stored stay mapped until the network is folded.
/// `between` is called between tensors and may throw. Throws Error{model}.
void load_weights(nn::Module& network, const weights::Checkpoint& checkpoint, weights::Part part,
                  at::ScalarType dtype, const c10::Device& device,
                  const std::function<void()>& between);

/// Drops the tensors of a network that is done, and the file pages behind them.
void unload_weights(nn::Module& network, const weights::Checkpoint& checkpoint, weights::Part part);

}  // namespace svd::pipeline
