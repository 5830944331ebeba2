#include "pipeline/control_groups.h"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace svd::pipeline {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> folders_up(const fs::path& root, const std::string& path) {
  std::vector<fs::path> folders;
  for (fs::path group = fs::path(path).relative_path(); !group.empty(); group = group.parent_path())
    folders.push_back(root / group);
  folders.push_back(root);
  return folders;
}

bool names(const std::string& controllers, const std::string& controller) {
  std::istringstream list(controllers);
  for (std::string name; std::getline(list, name, ',');) {
    if (name == controller) return true;
  }
  return false;
}

}  // namespace

std::vector<ControlGroups> control_groups(const std::string& controller, const fs::path& membership,
                                          const fs::path& mount) {
  std::vector<ControlGroups> groups;
  std::ifstream lines(membership);
  // "0::/path" is version 2, "4:cpu,cpuacct:/path" version 1.
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (controllers.empty())
      groups.push_back({2, folders_up(mount, path)});
    else if (names(controllers, controller))
      groups.push_back({1, folders_up(mount / controller, path)});
  }
  return groups;
}

}  // namespace svd::pipeline
