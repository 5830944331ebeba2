#pragma once

#include <exception>
#include <string>

#include "svd/error.h"

namespace svd::cli {

/// An exception as a user sees it.
struct Failure {
  ErrorKind kind = ErrorKind::internal;
  std::string message;
  std::string hint;
  int exit_code = 1;
};

/// Sorts any exception: svd::Error as it is, memory that ran out as a device failure, everything
/// else as internal. With `verbose` torch's own errors keep their backtrace, and an error that was
/// translated (std::throw_with_nested) shows what it came from. `signal` is the one
/// that asked to stop (0: none).
Failure describe_failure(const std::exception_ptr& exception, bool verbose, int signal = 0);

/// The name of a kind in JSON: "usage", "image", ...
const char* to_string(ErrorKind kind);

}  // namespace svd::cli
