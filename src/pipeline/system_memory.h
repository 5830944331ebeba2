#pragma once

#include <cstdint>

/// Host memory as the kernel accounts for it (proc(5), the kernel's admin-guide on cgroup v2).
namespace svd::pipeline {

/// Memory of this process that is in RAM now.
std::int64_t resident_bytes();

/// The most it ever was.
std::int64_t peak_resident_bytes();

/// What this process could take in addition without swapping: the machine's available memory, or
/// what the process's control groups still allow, if that is less.
std::int64_t available_bytes();

}  // namespace svd::pipeline
