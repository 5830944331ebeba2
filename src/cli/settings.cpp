#include "cli/settings.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <system_error>

#include "base/suggest.h"
#include "svd/error.h"
#include "weights/manifest.h"

namespace svd::cli {
namespace {

namespace fs = std::filesystem;

RawOptions environment_options() {
  RawOptions options;
  const char* const device = std::getenv("SVD_GEN_DEVICE");
  if (device != nullptr && *device)
    options.set("--device", {{device}, "environment SVD_GEN_DEVICE"});
  return options;
}

RawOptions read_settings(const fs::path& file, const std::string& origin) {
  Json json = read_json_file(file, ErrorKind::usage);
  if (json.is_object()) json.erase("description");  // for people
  return read_json_options(json, file.string(), origin);
}

RawOptions read_preset(const std::string& name) {
  const std::vector<std::string> names = preset_names();
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    const std::string meant = did_you_mean(name, names);
    throw Error(ErrorKind::usage, fmt::format("--preset '{}' is not a preset", name),
                meant.empty() ? fmt::format("there are {}; --config takes a file of your own",
                                            fmt::join(names, ", "))
                              : meant);
  }
  return read_settings(presets_folder() / (name + ".json"), "preset " + name);
}

}  // namespace

RawOptions with_environment(const RawOptions& given) { return given.over(environment_options()); }

RawOptions with_settings(const RawOptions& given) {
  RawOptions merged = with_environment(given);
  if (const std::string* const file = given.text("--config"))
    merged = merged.over(read_settings(*file, "config " + *file));
  if (const std::string* const name = given.text("--preset"))
    merged = merged.over(read_preset(*name));
  return merged;
}

fs::path presets_folder() { return weights::bundled_models_folder().parent_path() / "configs"; }

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  std::error_code code;
  for (auto entry = fs::directory_iterator(presets_folder(), code);
       !code && entry != fs::directory_iterator(); entry.increment(code)) {
    if (entry->path().extension() == ".json") names.push_back(entry->path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace svd::cli
