#pragma once

#include <ostream>

#include "cli/console.h"
#include "cli/options.h"
#include "cli/signals.h"

namespace svd::cli {

/// `svd-gen bench`: renders a clip and writes what it cost to `out`, as text or JSON. Where the
/// build can, the clip is encoded too, into a temporary file. Throws Error in the order of a
/// render: usage, image, model, device.
void bench(const BenchOptions& options, bool json, Console& console, SignalWatcher& signals,
           std::ostream& out);

}  // namespace svd::cli
