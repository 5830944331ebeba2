#pragma once

#include "cli/console.h"
#include "cli/options.h"
#include "cli/signals.h"

namespace svd::cli {

/// Cuts videos and pictures into the clips of a dataset (training/clip_cache.h), with the motion of
/// each by optical flow. What cannot be read is named and left out. Throws Error{image} where
/// nothing can be used.
void dataset(const DatasetOptions& options, Console& console, SignalWatcher& signals);

}  // namespace svd::cli
