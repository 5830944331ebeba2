#include "cli/process.h"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <sstream>
#include <string>

namespace svd::cli {
namespace {

constexpr int kStartTimeField = 22;  // of /proc/self/stat, counted from 1; see proc(5)

/// In clock ticks since the machine started.
long long start_ticks() {
  std::ifstream file("/proc/self/stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  // The second field is the program's name in parentheses, which may hold anything.
  std::istringstream fields(text.substr(text.rfind(')') + 1));
  std::string field;
  for (int i = 3; i < kStartTimeField; ++i) fields >> field;
  long long ticks = 0;
  fields >> ticks;
  return ticks;
}

std::int64_t high_water_mark() {
  std::ifstream file("/proc/self/status");
  std::string word;
  std::int64_t kibibytes = 0;
  while (file >> word) {
    if (word == "VmHWM:") {
      file >> kibibytes;
      break;
    }
  }
  return kibibytes * 1024;
}

}  // namespace

double seconds_since_process_start() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  const double started =
      static_cast<double>(start_ticks()) / static_cast<double>(sysconf(_SC_CLK_TCK));
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9 - started;
}

PeakMemory::PeakMemory() : whole_(high_water_mark()), can_restart_(restart()) {}

std::optional<std::int64_t> PeakMemory::lap() {
  const std::int64_t peak = high_water_mark();
  whole_ = std::max(whole_, peak);
  if (!can_restart_) return std::nullopt;
  restart();
  return peak;
}

std::int64_t PeakMemory::whole() { return whole_ = std::max(whole_, high_water_mark()); }

bool PeakMemory::restart() {
  std::ofstream file("/proc/self/clear_refs");
  file << '5' << std::flush;  // 5: the high-water mark becomes the present size
  return file.good();
}

}  // namespace svd::cli
