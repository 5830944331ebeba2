#include "pipeline/system_memory.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

#include "pipeline/control_groups.h"

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
  const char* limit;
  const char* used;
  const char* inactive_files;  ///< in memory.stat: cached files count as used, but can be dropped
  const char* active_files;
};
constexpr GroupFiles kVersion2 = {"memory.max", "memory.current", "inactive_file", "active_file"};
constexpr GroupFiles kVersion1 = {"memory.limit_in_bytes", "memory.usage_in_bytes",
                                  "total_inactive_file", "total_active_file"};

std::int64_t room_in(const fs::path& group, const GroupFiles& files) {
  const auto limit = read_number(group / files.limit);
  const auto used = read_number(group / files.used);
  if (!limit || !used) return kUnlimited;
  const auto field = [&](const char* name) {
    return read_field(group / "memory.stat", name).value_or(0);
  };
  const std::int64_t cached = field(files.inactive_files) + field(files.active_files);
  return *limit - std::max<std::int64_t>(0, *used - cached);
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

  for (const ControlGroups& groups : control_groups("memory")) {
    for (const fs::path& group : groups.folders)
      available = std::min(available, room_in(group, groups.version == 2 ? kVersion2 : kVersion1));
  }
  return std::max<std::int64_t>(0, available);
}

}  // namespace svd::pipeline
