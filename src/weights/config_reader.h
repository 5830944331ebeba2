#pragma once

#include <filesystem>
#include <string>

#include "base/json.h"
#include "base/model_config.h"

namespace svd::weights {

// The configuration files of a diffusers folder. `source` names the file in messages. Keys that are
// absent get the default of the published class. Unknown keys are ignored, since published files
// carry many; values of known keys that svd-gen does not compute are refused. All throw
// Error{model}.
UNetConfig parse_unet_config(const Json& json, const std::string& source);
VaeConfig parse_vae_config(const Json& json, const std::string& source);
ClipVisionConfig parse_clip_config(const Json& json, const std::string& source);
SchedulerConfig parse_scheduler_config(const Json& json, const std::string& source);

/// Normalisation of feature_extractor/preprocessor_config.json into `clip`.
void parse_preprocessor_config(const Json& json, const std::string& source, ClipVisionConfig& clip);

/// What a model suggests that names nothing itself: its trained number of frames and 1024 x 576, or
/// the nearest smaller size that its levels can halve.
ModelDefaults default_request(const ModelConfig& config);

/// The optional object "svd_gen" of model_index.json: frames, steps, min_guidance, max_guidance,
/// width, height (multiples of `size_multiple`). Unlike the others it is ours, so unknown keys are
/// errors.
void parse_svd_gen(const JsonObject& object, int size_multiple, ModelDefaults& defaults);

/// Reads all configurations of a folder and checks them against each other.
ModelConfig read_folder_config(const std::filesystem::path& folder);

/// What must hold between and within the parts whatever the layout; `source` names the model.
void check_config(const ModelConfig& config, const std::string& source);

}  // namespace svd::weights
