#pragma once

#include <string>
#include <utility>
#include <vector>

namespace svd::media {

/// Names and versions of the media libraries that the process runs with.
std::vector<std::pair<std::string, std::string>> library_versions();

}  // namespace svd::media
