#include "cli/failure.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <new>
#include <system_error>

#include "pipeline/errors.h"

namespace svd::cli {
namespace {

constexpr const char* kMemoryHint =
    "try a smaller --size, fewer --frames or --dtype bfloat16; a smaller --decode-chunk needs less "
    "too "
    "but changes pixels";
constexpr const char* kInternalHint =
    "this is a defect of svd-gen; -v shows more, please report it with the command";

Failure failure(ErrorKind kind, std::string message, std::string hint) {
  return {kind, std::move(message), std::move(hint), static_cast<int>(kind)};
}

Failure of_torch(const c10::Error& error, bool verbose) {
  const std::string message = verbose ? error.what() : error.what_without_backtrace();
  if (pipeline::is_out_of_memory(error))
    return failure(ErrorKind::device, "out of memory: " + message, kMemoryHint);
  return failure(ErrorKind::internal, message, kInternalHint);
}

/// The message of the exception that `error` was translated from, on a line of its own.
std::string cause(const Error& error) {
  try {
    std::rethrow_if_nested(error);
  } catch (const std::exception& nested) {
    return std::string("\n") + nested.what();
  }
  return {};
}

Failure of_error(const Error& error, bool verbose, int signal) {
  Failure described =
      failure(error.kind(), error.what() + (verbose ? cause(error) : std::string()), error.hint());
  if (error.kind() == ErrorKind::interrupted && signal != 0) described.exit_code = 128 + signal;
  return described;
}

}  // namespace

Failure describe_failure(const std::exception_ptr& exception, bool verbose, int signal) {
  try {
    std::rethrow_exception(exception);
  } catch (const Error& error) {
    return of_error(error, verbose, signal);
  } catch (const c10::Error& error) {
    return of_torch(error, verbose);
  } catch (const std::system_error& error) {
    if (error.code() != std::errc::resource_unavailable_try_again)
      return failure(ErrorKind::internal, error.what(), kInternalHint);
    return failure(ErrorKind::device, fmt::format("no thread can be started: {}", error.what()),
                   "memory or the number of processes is limited; --threads 1 needs least");
  } catch (const std::bad_alloc&) {
    return failure(ErrorKind::device, "out of memory", kMemoryHint);
  } catch (const std::exception& error) {
    return failure(ErrorKind::internal, error.what(), kInternalHint);
  } catch (...) {
    return failure(ErrorKind::internal, "an exception of an unknown type", kInternalHint);
  }
}

const char* to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::internal:
      return "internal";
    case ErrorKind::usage:
      return "usage";
    case ErrorKind::image:
      return "image";
    case ErrorKind::model:
      return "model";
    case ErrorKind::device:
      return "device";
    case ErrorKind::output:
      return "output";
    case ErrorKind::interrupted:
      return "interrupted";
  }
  return "internal";
}

}  // namespace svd::cli
