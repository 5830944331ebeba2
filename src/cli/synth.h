#pragma once

#include "cli/console.h"
#include "cli/options.h"
#include "cli/signals.h"

namespace svd::cli {

/// Draws procedural clips into a dataset (training/clip_cache.h), or as video files with a line of
/// annotations each. Throws Error.
void synth(const SynthCommandOptions& options, Console& console, SignalWatcher& signals);

}  // namespace svd::cli
