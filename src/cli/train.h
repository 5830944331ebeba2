#pragma once

#include "cli/console.h"
#include "cli/options.h"
#include "cli/signals.h"

namespace svd::cli {

/// Trains as the file of --config says. The first signal ends it after the step at hand, with a
/// checkpoint that --resume goes on from. Throws Error.
void train(const TrainOptions& options, Console& console, SignalWatcher& signals);

}  // namespace svd::cli
