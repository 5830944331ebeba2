#pragma once

#include <cstdint>

/// Memory of tensors on the CPU. The system hands out large blocks as fresh pages, zeroed one by
/// one at first touch, which costs more than many operations on them. So freed large blocks are
/// kept for the next tensor of about that size, up to a limit.
namespace svd::pipeline {

struct CpuMemory {
  std::int64_t live_bytes;    ///< in large blocks that tensors hold now
  std::int64_t peak_bytes;    ///< the most since the last `reset_cpu_peak`
  std::int64_t cached_bytes;  ///< in large blocks that are kept for reuse
};

/// From now on tensors of this process come from the cache. Does nothing the second time.
void install_cpu_cache();

/// At most this much is kept; what is over goes back to the system.
void limit_cpu_cache(std::int64_t bytes);

/// Gives all kept blocks back to the system.
void empty_cpu_cache();

CpuMemory cpu_memory();
void reset_cpu_peak();

}  // namespace svd::pipeline
