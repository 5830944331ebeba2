#include "cli/machine.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <system_error>
#include <utility>

#include "pipeline/control_groups.h"
#include "pipeline/system_memory.h"

namespace svd::cli {
namespace {

namespace fs = std::filesystem;

/// "model name	: X" -> "X"
std::string value_of(const std::string& line) {
  const std::size_t colon = line.find(':');
  const std::size_t begin =
      colon == std::string::npos ? colon : line.find_first_not_of(" \t", colon + 1);
  return begin == std::string::npos ? std::string() : line.substr(begin);
}

std::vector<std::string> known_features(const std::string& flags) {
  constexpr std::pair<const char*, const char*> names[] = {{"avx2", "AVX2"},
                                                           {"avx512bw", "AVX-512"},
                                                           {"avx512_bf16", "AVX-512 BF16"},
                                                           {"amx_bf16", "AMX BF16"}};
  std::istringstream words(flags);
  std::set<std::string> found;
  for (std::string word; words >> word;) found.insert(word);
  std::vector<std::string> features;
  for (const auto& [flag, name] : names)
    if (found.contains(flag)) features.emplace_back(name);
  return features;
}

std::optional<std::int64_t> read_number(const fs::path& path) {
  std::ifstream file(path);
  std::int64_t number = 0;
  return file >> number ? std::optional(number) : std::nullopt;  // "max" is no number
}

std::optional<std::int64_t> total_bytes() {
  std::ifstream file("/proc/meminfo");
  std::int64_t kib = 0;
  for (std::string word; file >> word;)
    if (word == "MemTotal:" && file >> kib) return kib * 1024;
  return std::nullopt;
}

}  // namespace

CpuInfo cpu_info(const fs::path& path) {
  CpuInfo info{"unknown", {}};
  std::ifstream file(path);
  for (std::string line; std::getline(file, line) && !line.empty();) {  // the first processor's
    if (line.starts_with("model name")) info.name = value_of(line);
    if (line.starts_with("flags")) info.features = known_features(value_of(line));
  }
  return info;
}

MemoryInfo memory_info() {
  MemoryInfo info{total_bytes(), pipeline::available_bytes(), std::nullopt};
  for (const pipeline::ControlGroups& groups : pipeline::control_groups("memory")) {
    for (const fs::path& group : groups.folders) {
      const auto limit =
          read_number(group / (groups.version == 2 ? "memory.max" : "memory.limit_in_bytes"));
      if (limit && (!info.limit_bytes || *limit < *info.limit_bytes)) info.limit_bytes = limit;
    }
  }
  // Version 1 writes a very large number for no limit.
  if (info.limit_bytes && info.total_bytes && *info.limit_bytes >= *info.total_bytes)
    info.limit_bytes.reset();
  return info;
}

FolderInfo folder_info(const fs::path& folder) {
  FolderInfo info{folder, false, std::nullopt};
  std::string name = (folder / ".svd-gen-XXXXXX").string();
  if (const int file = mkstemp(name.data()); file >= 0) {
    info.is_writable = true;
    std::error_code code;
    fs::remove(name, code);
    close(file);
  }
  std::error_code code;
  const fs::space_info space = fs::space(folder, code);
  if (!code) info.free_bytes = static_cast<std::int64_t>(space.available);
  return info;
}

}  // namespace svd::cli
