#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "weights/checkpoint.h"

namespace svd::training {

/// Weights of a part under their names in its file.
using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

/// Writes a diffusers folder like `base` with new weights for some parts, and replaces `folder` by
/// it. Configurations and the other parts' weights are copied, as far as there are any.
/// `scaling_factor` takes the place of the VAE's. Throws Error{output}.
void write_model_folder(const std::filesystem::path& base, const std::filesystem::path& folder,
                        const std::map<weights::Part, NamedTensors>& weights,
                        std::optional<double> scaling_factor = {});

/// Folder and stem of a part's weights: "unet", "diffusion_pytorch_model".
std::pair<std::string, std::string> place_of(weights::Part part);

}  // namespace svd::training
