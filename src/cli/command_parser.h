#pragma once

#include <string>
#include <vector>

#include "cli/option_table.h"
#include "cli/raw_options.h"

namespace svd::cli {

/// Arguments sorted by the table of commands; no value was read.
struct ParsedCommand {
  const CommandRow* row = nullptr;
  RawOptions options;  ///< of the command line
  std::vector<std::string> arguments;
  bool wants_help = false;        ///< --help
  bool wants_short_help = false;  ///< -h of rendering
};

/// Throws Error{usage} for unknown options, unexpected arguments and values that are missing, with
/// suggestions.
ParsedCommand parse_command(const std::vector<std::string>& arguments);

}  // namespace svd::cli
