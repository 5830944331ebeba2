#pragma once

#include <nlohmann/json_fwd.hpp>

#include "cli/options.h"

namespace svd::cli {

/// --print-config: {"steps": {"value": 25, "origin": "model"}, ...} with all values of a clip.
/// Origins are "command line", "environment NAME", "config FILE", "preset NAME", "profile NAME",
/// "model", "machine", "random" and "built-in". Opens the model, but no picture: sizes are those of
/// a landscape. Throws Error.
nlohmann::ordered_json print_config(const RenderOptions& options);

}  // namespace svd::cli
