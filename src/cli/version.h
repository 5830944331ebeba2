#pragma once

#include <string>

namespace svd::cli {

/// `--version`: this build and the libraries it runs with.
std::string version_text();

/// `--version --json`
std::string version_json();

}  // namespace svd::cli
