#include "pipeline/errors.h"

#include <c10/util/Exception.h>

#include <exception>
#include <new>
#include <string>

#include "svd/error.h"

namespace svd::pipeline {
namespace {

[[noreturn]] void out_of_memory(const std::string& detail) {
  std::throw_with_nested(
      Error(ErrorKind::device, "out of memory: " + detail,
            "use a smaller --size, fewer --frames, a smaller --decode-chunk (changes pixels) or "
            "--dtype bfloat16"));
}

// The CPU allocator reports through a plain c10::Error.
bool is_cpu_allocation_failure(const std::string& message) {
  return message.find("DefaultCPUAllocator") != std::string::npos;
}

}  // namespace

void translate_torch_errors(const std::function<void()>& body) {
  try {
    body();
  } catch (const c10::OutOfMemoryError& e) {
    out_of_memory(e.what_without_backtrace());
  } catch (const c10::Error& e) {
    if (is_cpu_allocation_failure(e.what_without_backtrace()))
      out_of_memory(e.what_without_backtrace());
    std::throw_with_nested(Error(ErrorKind::internal, e.what_without_backtrace()));
  } catch (const std::bad_alloc&) {
    out_of_memory("the system refused an allocation");
  }
}

}  // namespace svd::pipeline
