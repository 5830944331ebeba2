#pragma once

#include <string>

#include "svd/error.h"

namespace svd::fuzz {

/// Runs `call`, which may refuse its input with an Error of `kind`. Everything else that it throws
/// is a finding and passes through.
template <typename Call>
void expect(ErrorKind kind, Call call) {
  try {
    call();
  } catch (const Error& error) {
    if (error.kind() != kind || std::string(error.what()).empty()) throw;
  }
}

}  // namespace svd::fuzz
