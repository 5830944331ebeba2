#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace svd::cli {

/// The libraries it runs with: {"libtorch": "2.11.0", ...}
nlohmann::ordered_json library_versions();

/// `--version`: this build and the libraries it runs with.
std::string version_text();

/// `--version --json`
std::string version_json();

}  // namespace svd::cli
