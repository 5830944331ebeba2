#pragma once

#include <string>

namespace svd::cli {

/// The completion script for "bash", "zsh" or "fish", made from the table of commands. Throws
/// Error{usage} for another shell.
std::string completions(const std::string& shell);

}  // namespace svd::cli
