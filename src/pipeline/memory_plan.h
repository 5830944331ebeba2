#pragma once

#include <cstdint>
#include <optional>

#include "base/model_config.h"
#include "nn/parts.h"
#include "svd/memory_plan.h"
#include "svd/request.h"

namespace svd::pipeline {

/// What there is to plan with.
struct MemoryLimits {
  std::int64_t limit_bytes = 0;    ///< for everything below
  std::int64_t process_bytes = 0;  ///< already taken, or about to be, beside networks and tensors
};

/// Of the device: the request's own limit, or what is free now. On the CPU the limit is that of the
/// whole process and minds control groups; on a GPU it is its memory alone.
MemoryLimits memory_limits(const Request& request);

/// The fastest plan that keeps to the limits. Throws Error{device} if there is none, naming what it
/// would take and settings of the request that fit.
MemoryPlan plan_memory(const Request& request, const ModelConfig& config,
                       const MemoryLimits& limits);

/// Of the decoder.
nn::PartLimits part_limits(const MemoryPlan& plan);

/// Those of the next smaller plan, if there is one: for a decoder that ran out of memory after all.
std::optional<nn::PartLimits> smaller_parts(const nn::PartLimits& limits);

}  // namespace svd::pipeline
