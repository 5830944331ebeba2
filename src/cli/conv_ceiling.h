#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

namespace svd::cli {

/// GFLOP/s of the fastest of a few 3x3 convolutions of 320 channels in channels-last memory, the
/// operation that comes nearest to what a device can do. Takes a second or two on a CPU.
double conv_ceiling_gflops(at::ScalarType dtype, const c10::Device& device);

}  // namespace svd::cli
