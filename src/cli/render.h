#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/console.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/signals.h"

namespace svd::cli {

/// What a command did, for --json and the exit code.
struct Outcome {
  std::vector<Report> reports;     ///< one a clip, as far as it came
  std::optional<Failure> failure;  ///< the first one
  bool is_list = false;            ///< --json shows a list of clips
};

/// Renders all clips that were asked for. A clip that fails is reported and the next one begins; a
/// stop ends the list. What is wrong with the list itself throws Error before anything is done.
/// Every clip is shown on `console`. A build without media refuses with Error{usage}.
void render(const RenderOptions& options, const MessageOptions& messages, Console& console,
            SignalWatcher& signals, Outcome& outcome);

/// Renders again what `options.file` says. Throws Error.
void replay(const ReplayOptions& options, Console& console, SignalWatcher& signals,
            Outcome& outcome);

/// Decodes saved latents. Throws Error.
void decode(const DecodeOptions& options, Console& console, SignalWatcher& signals,
            Outcome& outcome);

/// The record in a file, or beside it. Throws Error{image} where there is none.
nlohmann::ordered_json show(const std::string& file);

}  // namespace svd::cli
