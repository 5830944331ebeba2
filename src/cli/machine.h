#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

/// What the system says about this machine, for `svd-gen doctor`. Nothing throws: what the system
/// does not say is left out.
namespace svd::cli {

struct CpuInfo {
  std::string name;                   ///< "unknown" where the system does not say
  std::vector<std::string> features;  ///< of those that make a difference here: "AVX2", ...
};

/// `file` is for tests.
CpuInfo cpu_info(const std::filesystem::path& file = "/proc/cpuinfo");

struct MemoryInfo {
  std::optional<std::int64_t> total_bytes;
  std::int64_t available_bytes = 0;
  std::optional<std::int64_t> limit_bytes;  ///< of control groups, if below the total
};

MemoryInfo memory_info();

struct FolderInfo {
  std::filesystem::path path;
  bool is_writable = false;  ///< as tried, since permissions say too little
  std::optional<std::int64_t> free_bytes;
};

FolderInfo folder_info(const std::filesystem::path& folder);

}  // namespace svd::cli
