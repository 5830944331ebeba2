#pragma once

/// Memory of tensors on the CPU. The system hands out large blocks as fresh pages, zeroed one by
/// one at first touch, which costs more than many operations on them. So freed large blocks are
/// kept for the next tensor of about that size, up to 384 MiB in all.
namespace svd::pipeline {

/// From now on tensors of the whole process come from the cache. Does nothing the second time, nor
/// under the address sanitizer, which has to see every block.
void install_cpu_cache();

/// Gives all kept blocks back to the system.
void empty_cpu_cache();

}  // namespace svd::pipeline
