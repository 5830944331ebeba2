#include "pipeline/errors.h"

#include <c10/util/Exception.h>

#include <exception>
#include <new>
#include <string>
#include <string_view>

#include "svd/error.h"

namespace svd::pipeline {
namespace {

[[noreturn]] void out_of_memory(const std::string& detail) {
  std::throw_with_nested(
      Error(ErrorKind::device, "out of memory: " + detail,
            "use a smaller --size, fewer --frames, a smaller --decode-chunk (changes pixels) or "
            "--dtype bfloat16"));
}

}  // namespace

bool is_out_of_memory(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return true;
  if (dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr) return true;
  // The CPU allocator and CUDA's libraries report through a plain c10::Error.
  const auto* const plain = dynamic_cast<const c10::Error*>(&error);
  if (plain == nullptr) return false;
  const std::string_view message = plain->what_without_backtrace();
  for (const char* phrase : {"DefaultCPUAllocator", "out of memory", "can't allocate memory",
                             "not enough memory", "_STATUS_ALLOC_FAILED"})
    if (message.find(phrase) != std::string_view::npos) return true;
  return false;
}

void translate_torch_errors(const std::function<void()>& body) {
  try {
    body();
  } catch (const c10::Error& e) {
    if (is_out_of_memory(e)) out_of_memory(e.what_without_backtrace());
    std::throw_with_nested(Error(ErrorKind::internal, e.what_without_backtrace()));
  } catch (const std::bad_alloc&) {
    out_of_memory("the system refused an allocation");
  }
}

}  // namespace svd::pipeline
