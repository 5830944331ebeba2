#include "weights/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "base/json.h"

namespace svd::weights {
namespace {

namespace fs = std::filesystem;

Manifest read_manifest(const fs::path& path) {
  const Json json = read_json_file(path, ErrorKind::model);
  const JsonObject object(json, path.string(), ErrorKind::model);
  object.allow_only({"name", "title", "repository", "gated", "frames", "licence", "notice",
                     "folders", "single_files", "files"});
  Manifest manifest;
  manifest.name = object.string("name");
  if (manifest.name != path.stem().string()) object.fail("name", "the name of its file");
  manifest.title = object.string("title");
  manifest.repository = object.string("repository", "");
  if (!manifest.repository.empty() &&
      std::count(manifest.repository.begin(), manifest.repository.end(), '/') != 1) {
    object.fail("repository", "OWNER/NAME");
  }
  manifest.gated = object.boolean("gated");
  manifest.frames = static_cast<int>(object.integer("frames", 1, 1000));
  manifest.notice = object.string("notice", "");
  manifest.folders = object.strings("folders", 0, 16);
  manifest.single_files = object.strings("single_files", 0, 16);
  return manifest;
}

}  // namespace

fs::path bundled_models_folder() {
  std::error_code code;
  const fs::path program = fs::read_symlink("/proc/self/exe", code);
  const fs::path installed = program.parent_path() / ".." / "share" / "svd-gen" / "models";
  for (const fs::path& folder : {installed, fs::path(SVD_SOURCE_MODELS_DIR)}) {
    if (fs::is_directory(folder, code)) return folder.lexically_normal();
  }
  throw Error(ErrorKind::model,
              fmt::format("the list of known models is missing: no folder {}",
                          installed.lexically_normal().string()),
              "install svd-gen again, or give the path of a model");
}

std::vector<Manifest> read_manifests(const fs::path& folder) {
  std::vector<Manifest> manifests;
  std::error_code code;
  for (const auto& item : fs::directory_iterator(folder, code)) {
    if (item.path().extension() == ".json") manifests.push_back(read_manifest(item.path()));
  }
  std::sort(manifests.begin(), manifests.end(),
            [](const Manifest& a, const Manifest& b) { return a.name < b.name; });
  return manifests;
}

}  // namespace svd::weights
