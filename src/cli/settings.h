#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/raw_options.h"

namespace svd::cli {

/// The options with what the environment ($SVD_GEN_DEVICE) says where the command line says
/// nothing.
RawOptions with_environment(const RawOptions& given);

/// The options of a clip with what the environment ($SVD_GEN_DEVICE), --config FILE and
/// --preset NAME say where the command line says nothing, in this order. Throws Error{usage}.
RawOptions with_settings(const RawOptions& given);

/// The folder with the presets (NAME.json): ../share/svd-gen/configs beside the program, else the
/// one of the source tree. Throws Error{model} if there is none.
std::filesystem::path presets_folder();

/// Names of all presets, sorted.
std::vector<std::string> preset_names();

}  // namespace svd::cli
