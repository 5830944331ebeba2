#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>

#include "base/model_config.h"

/// Files of sampled latents: safetensors with `latents` [F, C, h, w], float32, as the UNet leaves
/// them, and perhaps a text under "svd_gen". The public half is svd/latents.h.
namespace svd::pipeline {

/// Throws Error{output}.
void save_latents(const std::string& path, const at::Tensor& latents,
                  const std::optional<std::string>& metadata);

/// Throws Error{usage} for what this model cannot decode.
at::Tensor read_latents(const std::string& path, const ModelConfig& model);

}  // namespace svd::pipeline
