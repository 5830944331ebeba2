#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "base/model_config.h"
#include "svd/request.h"

namespace svd::pipeline {

/// Fills what `options` leaves open: profile, then model, then built-in values
/// (docs/architecture.md, layering); device, dtype and threads are for this machine. `source_width`
/// x `source_height` is the upright input: a portrait one swaps the default size. Values outside
/// what SVD was trained on are described in `warnings`. Throws Error{usage} and Error{device}.
Request resolve_request(const RequestOptions& options, const ModelConfig& model, int source_width,
                        int source_height, std::vector<std::string>& warnings);

/// Reads --init-latents: tensor `latents` [F, 4, h, w] -> [1, F, 4, h, w] float32. Throws
/// Error{usage} for a missing file, a missing tensor, another shape, or values that cannot be noise
/// of unit variance.
at::Tensor read_init_latents(const std::string& path, const Request& request,
                             const ModelConfig& model);

}  // namespace svd::pipeline
