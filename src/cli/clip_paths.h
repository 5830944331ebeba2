#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/job.h"

/// Where a clip's files lie to each other.
namespace svd::cli {

/// A link to a folder stands for the folder.
std::string behind_links(const std::string& output);

/// Whether there is a file or folder with something in it, or the first of numbered files.
bool output_exists(const std::string& output);

/// Whether `path` lies in `folder` or is it.
bool lies_in(const std::string& path, const std::string& folder);

/// The file beside the output that takes the clip's record; null if none does. Throws Error{usage}
/// for an output of no known format.
std::optional<std::string> sidecar_of(const Job& job);

/// Refuses outputs that would take an input, or each other, away, and --init-latents that is no
/// file. Throws Error{usage}.
void check_paths(const Job& job);

/// Refuses lists in which a clip would replace the picture of another. Throws Error{usage}.
void check_list(const std::vector<Job>& jobs);

/// Refuses results that would be appended to the list that they tell of, or to a picture or an
/// output of one of its clips. Throws Error{usage}.
void check_results(const std::string& results, const std::optional<std::string>& batch,
                   const std::vector<Job>& jobs);

}  // namespace svd::cli
