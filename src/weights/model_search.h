#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace svd::weights {

/// A model found on disk.
struct FoundModel {
  std::string name;            ///< manifest name, or the path as given
  std::filesystem::path path;  ///< what Checkpoint::open takes
  std::string notice;          ///< licence or demonstration notice of the manifest; may be empty
};

/// Resolves `--model NAME_OR_PATH`. The name of a manifest (models/*.json) is searched in
/// `models_dir`, $SVD_GEN_MODELS, ./models, the bundled models folder, the Hugging Face cache and
/// the usual ComfyUI checkpoint folders; anything else is a path (./tiny, if it must be one).
/// Throws Error{model} listing where it looked, with the command that fetches it as the hint; an
/// unknown name lists the known ones ("did you mean").
FoundModel find_model(const std::string& name_or_path,
                      const std::optional<std::filesystem::path>& models_dir);

}  // namespace svd::weights
