#pragma once

#include <ostream>

#include "cli/options.h"

namespace svd::cli {

/// What is there: devices, libraries, encoders, models, memory, and what would run by default.
/// Returns the exit code: 0 if a clip can be made, else that of what is missing (4: no model, 6: no
/// encoder). Throws Error.
int doctor(const DoctorOptions& options, bool json, std::ostream& out);

}  // namespace svd::cli
