#pragma once

#include "cli/console.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/signals.h"

namespace svd::cli {

/// One picture to one clip. Fills `report` step by step, so that it says how far a run came that
/// failed. Throws Error; wrong requests are refused in the order usage, output, image, model,
/// device. A build without media refuses every render with Error{usage}.
void render(const RenderOptions& options, Console& console, SignalWatcher& signals, Report& report);

}  // namespace svd::cli
