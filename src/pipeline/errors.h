#pragma once

#include <exception>
#include <functional>

namespace svd::pipeline {

/// Runs `body` and turns what torch throws into svd::Error: out of memory into `device` with hints,
/// anything else into `internal` with torch's message but not its backtrace. The original is nested
/// in the new exception.
void translate_torch_errors(const std::function<void()>& body);

/// Whether torch or the system threw this because memory ran out.
bool is_out_of_memory(const std::exception& error);

}  // namespace svd::pipeline
