#include "pipeline/savings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "nn/savings.h"
#include "svd/error.h"

namespace svd::pipeline {

void leave_out_savings(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    bool* const saving = nn::find_saving(name);
    if (saving == nullptr)
      throw Error(ErrorKind::usage, fmt::format("--without '{}' is no saving", name),
                  fmt::format("there are {}", fmt::join(nn::saving_names(), ", ")));
    *saving = false;
  }
}

}  // namespace svd::pipeline
