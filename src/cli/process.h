#pragma once

#include <cstdint>
#include <optional>

namespace svd::cli {

/// Seconds since the system started this process, to the system's clock tick (10 ms): unlike a
/// clock that starts in main, it counts what the dynamic linker and static constructors took.
double seconds_since_process_start();

/// Peaks of this process' resident memory, which includes the pages of mapped files. Construction
/// and every `lap` restart the kernel's high-water mark.
class PeakMemory {
 public:
  PeakMemory();

  /// Peak in bytes since the last lap; empty where the kernel does not let the mark be restarted.
  std::optional<std::int64_t> lap();

  /// Peak of the whole process so far, whatever was restarted by this object.
  std::int64_t whole();

 private:
  bool restart();

  std::int64_t whole_ = 0;
  bool can_restart_ = false;
};

}  // namespace svd::cli
