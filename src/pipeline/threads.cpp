#include "pipeline/threads.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>

#include "pipeline/control_groups.h"

namespace svd::pipeline {
namespace {

// The first line of a file, empty if there is none.
std::string line_of(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// Cores under the process's affinity mask; 0 if the system does not say.
int cores() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 0;
  std::set<std::string> siblings;  // threads of a core name the same list
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    const std::string list = line_of("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                                     "/topology/thread_siblings_list");
    siblings.insert(list.empty() ? std::to_string(cpu) : list);
  }
  return static_cast<int>(siblings.size());
}

// Processors that a group may use, as a number of processors' time.
double quota_of(const std::filesystem::path& group, int version) {
  double limit = 0, period = 0;
  if (version == 2) {
    std::ifstream file(group / "cpu.max");  // "max 100000" is no limit
    if (file >> limit >> period && period > 0) return limit / period;
  } else {
    std::ifstream limit_file(group / "cpu.cfs_quota_us"), period_file(group / "cpu.cfs_period_us");
    if (limit_file >> limit && period_file >> period && limit > 0 && period > 0)
      return limit / period;
  }
  return HUGE_VAL;
}

double quota() {
  double least = HUGE_VAL;
  for (const ControlGroups& groups : control_groups("cpu")) {
    for (const std::filesystem::path& group : groups.folders)
      least = std::min(least, quota_of(group, groups.version));
  }
  return least;
}

}  // namespace

int default_threads() {
  int threads = cores();
  if (threads == 0) threads = static_cast<int>(std::thread::hardware_concurrency());
  threads = static_cast<int>(std::min<double>(threads, std::ceil(quota())));
  return std::clamp(threads, 1, 1024);
}

}  // namespace svd::pipeline
