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

/// What a plan depends on beside the request.
struct PlanOptions {
  int bit_depth = 8;           ///< of the sink
  bool keep_networks = false;  ///< UNet and decoder may stay loaded, if there is room
};

/// Of the device: the request's own limit, or what is free now. On the CPU the limit is that of the
/// whole process and minds control groups; on a GPU it is its memory alone. `loaded_bytes` are
/// those of networks from an earlier run, which the plan counts again.
MemoryLimits memory_limits(const Request& request, std::int64_t loaded_bytes = 0);

/// The fastest plan that keeps to the limits. Throws Error{device} if there is none, naming what it
/// would take and settings of the request that fit.
MemoryPlan plan_memory(const Request& request, const ModelConfig& config,
                       const MemoryLimits& limits, const PlanOptions& options = {});

/// As plan_memory, for one stage by itself (condition, sample or decode), the only one in the plan.
/// Throws Error{device} without naming settings.
MemoryPlan plan_stage(const Request& request, const ModelConfig& config, const MemoryLimits& limits,
                      Stage stage, const PlanOptions& options = {});

/// Of the decoder.
nn::PartLimits part_limits(const MemoryPlan& plan);

/// Those of the next smaller plan, if there is one: for a decoder that ran out of memory after all.
std::optional<nn::PartLimits> smaller_parts(const nn::PartLimits& limits);

}  // namespace svd::pipeline
