#pragma once

#include <string>

#include "cli/job.h"

/// Where a clip's files lie to each other.
namespace svd::cli {

/// A link to a folder stands for the folder.
std::string behind_links(const std::string& output);

/// Whether there is a file or folder with something in it, or the first of numbered files.
bool output_exists(const std::string& output);

/// Whether `path` lies in `folder` or is it.
bool lies_in(const std::string& path, const std::string& folder);

/// Refuses outputs that would take an input, or each other, away, and --init-latents that is no
/// file. Throws Error{usage}.
void check_paths(const Job& job);

}  // namespace svd::cli
