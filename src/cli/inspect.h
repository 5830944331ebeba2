#pragma once

#include <ostream>

#include "cli/console.h"
#include "cli/options.h"

namespace svd::cli {

/// `svd-gen inspect`: what is in a model, as text or JSON on `out`. Returns the exit code: that of
/// a wrong model when keys are missing, unexpected or mis-shaped. Throws Error{model}.
int inspect(const InspectOptions& options, bool json, Console& console, std::ostream& out);

}  // namespace svd::cli
