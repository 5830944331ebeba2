#pragma once

namespace svd::cli {

/// The whole command: parses, runs, reports. Returns the exit code; does not return when the run
/// was interrupted by a signal, which is raised again with its default action.
int run(int argc, char** argv);

}  // namespace svd::cli
