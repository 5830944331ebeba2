#include "pipeline/system_memory.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

namespace svd::pipeline {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

std::optional<std::int64_t> read_number(const fs::path& path) {
  std::ifstream file(path);
  std::int64_t number = 0;
  return file >> number ? std::optional(number) : std::nullopt;  // "max" is no number
}

// A line "NAME: 123 kB" or "NAME 123".
std::optional<std::int64_t> read_field(const fs::path& path, const std::string& name) {
  std::ifstream file(path);
  for (std::string word; file >> word;) {
    std::int64_t number = 0;
    if (word == name && file >> number) return number;
  }
  return std::nullopt;
}

/// How a version of control groups names its files.
struct GroupFiles {
  const char* root;
  const char* limit;
  const char* used;
  const char* inactive_files;  ///< in memory.stat: cached files count as used, but can be dropped
  const char* active_files;
};
constexpr GroupFiles kVersion2 = {"/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file",
                                  "active_file"};
constexpr GroupFiles kVersion1 = {"/sys/fs/cgroup/memory", "memory.limit_in_bytes",
                                  "memory.usage_in_bytes", "total_inactive_file",
                                  "total_active_file"};

std::int64_t room_in(const fs::path& group, const GroupFiles& files) {
  const auto limit = read_number(group / files.limit);
  const auto used = read_number(group / files.used);
  if (!limit || !used) return kUnlimited;
  const auto field = [&](const char* name) {
    return read_field(group / "memory.stat", name).value_or(0);
  };
  return *limit - (*used - field(files.inactive_files) - field(files.active_files));
}

// The least of a group and those above it. Inside a container the root is the container's own.
std::int64_t room_on_the_way_up(const std::string& path, const GroupFiles& files) {
  const fs::path root = files.root;
  std::int64_t room = room_in(root, files);
  for (fs::path group = root / fs::path(path).relative_path(); group != root;
       group = group.parent_path())
    room = std::min(room, room_in(group, files));
  return room;
}

}  // namespace

std::int64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::int64_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

std::int64_t peak_resident_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{usage.ru_maxrss} * 1024;  // Linux counts KiB
}

std::int64_t available_bytes() {
  std::int64_t available = kUnlimited;
  if (const auto free = read_field("/proc/meminfo", "MemAvailable:")) available = *free * 1024;

  // Lines "0::/path" (version 2) and "4:memory:/path".
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const std::size_t path = line.find(":/");
    if (path == std::string::npos) continue;
    const std::string name = line.substr(line.find(':'), path - line.find(':'));
    if (name == ":")
      available = std::min(available, room_on_the_way_up(line.substr(path + 1), kVersion2));
    if (name == ":memory")
      available = std::min(available, room_on_the_way_up(line.substr(path + 1), kVersion1));
  }
  return std::max<std::int64_t>(0, available);
}

}  // namespace svd::pipeline
