#pragma once

#include <string>

#include "cli/option_table.h"

namespace svd::cli {

/// `-h`: one screen, examples first.
std::string short_help();
/// `--help` of a command: what it does and every option in groups with its default; of rendering
/// also the commands, exit codes, environment and examples.
std::string help_of(const CommandRow& row);

/// Exit codes, environment and examples, as the help ends with them.
std::string help_footer();

}  // namespace svd::cli
