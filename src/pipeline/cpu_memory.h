#pragma once

#include <cstdint>

/// Memory of tensors on the CPU. The system hands out large blocks as fresh pages, zeroed one by
/// one at first touch, which costs more than many operations on them. So freed large blocks are
/// kept for the next tensor of about that size.
namespace svd::pipeline {

/// More kept memory than this saves no more time.
constexpr std::int64_t kMostCached = std::int64_t{384} << 20;

/// From now on tensors of the whole process come from the cache, which keeps at most `limit` bytes,
/// counting what is lost where a tensor gets a larger block than it needs. Does nothing under the
/// address sanitizer, which has to see every block.
void install_cpu_cache(std::int64_t limit = kMostCached);

/// Gives all kept blocks back to the system.
void empty_cpu_cache();

}  // namespace svd::pipeline
