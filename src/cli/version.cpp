#include "cli/version.h"

#include <ATen/Version.h>
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>
#include <vector>

#include "svd/version.h"
#ifdef SVD_HAVE_MEDIA
#include "media/library_versions.h"
#endif

namespace svd::cli {
namespace {

/// The running libtorch, which need not be the one whose headers were compiled in.
std::string torch_version() {
  const std::string config = at::show_config();
  const std::string key = "TORCH_VERSION=";
  const std::size_t begin = config.find(key);
  if (begin == std::string::npos) return "unknown";
  return config.substr(begin + key.size(),
                       config.find_first_of(", \n", begin) - begin - key.size());
}

std::vector<std::pair<std::string, std::string>> libraries() {
  std::vector<std::pair<std::string, std::string>> found = {{"libtorch", torch_version()}};
#ifdef SVD_HAVE_MEDIA
  for (const auto& library : media::library_versions()) found.push_back(library);
#endif
  return found;
}

}  // namespace

nlohmann::ordered_json library_versions() {
  nlohmann::ordered_json json;
  for (const auto& [name, number] : libraries()) json[name] = number;
  return json;
}

std::string version_text() {
  std::string text = build_description();
  for (const auto& [name, number] : libraries()) text += fmt::format("{:<11} {}\n", name, number);
  return text;
}

std::string version_json() {
  nlohmann::ordered_json json = {{"version", version()}};
  // "commit      1a2b3c" of the description becomes "commit": "1a2b3c".
  std::istringstream lines(build_description());
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    const std::size_t gap = line.find("  ");
    if (gap == std::string::npos) continue;
    std::string key = line.substr(0, gap);
    std::replace(key.begin(), key.end(), ' ', '_');
    json[key] = line.substr(line.find_first_not_of(' ', gap));
  }
  json["libraries"] = library_versions();
  return json.dump(2);
}

}  // namespace svd::cli
