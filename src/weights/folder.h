#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "weights/safetensors.h"

namespace svd::weights {

/// The files that hold the weights of one part of a diffusers folder.
struct PartFiles {
  std::vector<std::filesystem::path> files;  ///< one, or the shards of an index
  std::filesystem::path index;               ///< empty: a single file
};

/// Chooses among the files STEM*.safetensors of `folder`: full precision before the fp16 variant,
/// and within each one file before an index of shards. Existence is checked, contents are not.
/// Throws Error{model}; a folder with nothing but pickle files is refused as such.
PartFiles choose_part_files(const std::filesystem::path& folder, const std::string& stem);

/// Opens them. For an index, every tensor it names must be in the file it names, and no other
/// tensor may be there. Throws Error{model}.
std::vector<std::shared_ptr<SafetensorsFile>> open_part_files(const PartFiles& files);

}  // namespace svd::weights
