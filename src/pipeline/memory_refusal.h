#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "svd/memory_plan.h"
#include "svd/request.h"

namespace svd::pipeline {

/// "not enough memory: decoding needs ...": what `least`, a plan that needs more than its limit, is
/// short of.
std::string describe_shortage(const Request& request, const MemoryPlan& least);

/// Throws Error{device} for a request whose smallest plan is `least`, with the settings that fit.
/// Sizes are multiples of `size_multiple`; `peak_of` is the peak of another request's plan.
[[noreturn]] void refuse(const Request& request, int size_multiple, const MemoryPlan& least,
                         const std::function<std::int64_t(const Request&)>& peak_of);

}  // namespace svd::pipeline
