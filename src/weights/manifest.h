#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace svd::weights {

/// What is known about a model that has a name: models/NAME.json.
struct Manifest {
  std::string name;
  std::string title;
  std::string repository;  ///< "owner/name" on the hub; empty: not to be downloaded
  bool gated = false;      ///< needs an account that accepted the licence
  int frames = 0;
  std::string notice;                     ///< to be shown when the model is used
  std::vector<std::string> folders;       ///< names of its diffusers folder
  std::vector<std::string> single_files;  ///< names of its single files, preferred first
};

/// The folder with the manifests and the bundled model: ../share/svd-gen/models beside the program,
/// else the one of the source tree this was built from. Throws Error{model} if there is none.
std::filesystem::path bundled_models_folder();

/// All manifests, sorted by name. Throws Error{model} naming a broken one.
std::vector<Manifest> read_manifests(const std::filesystem::path& folder);

}  // namespace svd::weights
