#pragma once

#include <string>

namespace svd {

/// Semantic version of this build, for example "0.1.0".
const char* version();

/// Multi-line description: version, commit, build type, compiler .
std::string build_description();

}  // namespace svd
