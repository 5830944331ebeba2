#pragma once

#include <string>
#include <vector>

#include "base/model_config.h"
#include "weights/safetensors.h"

namespace svd::weights {

/// What a single file is, as far as names, shapes, file name and sidecar tell.
struct SingleFileModel {
  ModelConfig config;
  std::string variant;               ///< "svd", "svd-xt", ...
  std::vector<std::string> notices;  ///< assumptions made
};

/// Recognises Stability's single file and infers its configuration from shapes. What shapes do
/// not tell comes, in this order, from the sidecar NAME.json beside NAME.safetensors (frames,
/// num_head_channels, clip_head_channels), the file name (xt or not), the published model.
/// Throws Error{model}; other kinds of models are refused by their name.
SingleFileModel recognise_single_file(const SafetensorsFile& file);

}  // namespace svd::weights
