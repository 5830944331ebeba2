#pragma once

#include <ATen/core/Generator.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "nn/module.h"

namespace svd::training {

/// Random weights for a network that is trained from the start: uniform with a variance of
/// 1 / (3 fan_in), as torch.nn begins; biases 0 and norms the identity. `begins_at_zero` tells the
/// names of weights that begin at 0.
void initialise(const std::vector<nn::Parameter>& parameters,
                const std::function<bool(const std::string&)>& begins_at_zero,
                const at::Generator& generator);

/// Of a UNet: the last layers of res blocks and transformers and of the whole, as Stability's
/// classes begin, and all that would let the temporal layers change anything: an untrained video
/// model is an image model.
bool begins_at_zero_in_unet(const std::string& name);

/// Whether a diffusers folder's part has weights.
bool has_weights(const std::filesystem::path& folder);

/// Reads the parameters from the weights of a diffusers folder's part, as float32. False, with
/// nothing read, if the part has no weights. Throws Error{model} if they are not these parameters.
bool read_weights(const std::vector<nn::Parameter>& parameters, const std::filesystem::path& folder,
                  const std::string& stem);

/// A name for the parameters' values, on the CPU: the same values, the same name.
std::string fingerprint(const std::vector<nn::Parameter>& parameters);

/// Moves the parameters, which keep their memory layout.
void move_to(const c10::Device& device, const std::vector<nn::Parameter>& parameters);

}  // namespace svd::training
