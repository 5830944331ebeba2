#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace svd::pipeline {

/// A version of control groups: where it is mounted, and the folders of this process's group and of
/// those above it, whose limits all hold. Inside a container the root is the container's own group.
struct ControlGroups {
  int version;  ///< 1 or 2
  std::vector<std::filesystem::path> folders;
};

/// For a controller, "memory" or "cpu". `membership` and `mount` are for tests.
std::vector<ControlGroups> control_groups(
    const std::string& controller, const std::filesystem::path& membership = "/proc/self/cgroup",
    const std::filesystem::path& mount = "/sys/fs/cgroup");

}  // namespace svd::pipeline
