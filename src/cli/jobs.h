#pragma once

#include <string>
#include <vector>

#include "cli/options.h"

namespace svd::cli {

/// All clips that were asked for, in order: every line of --batch, or every --image and picture of
/// --image-dir, each with every seed. Of a --shard only its own; numbers stay those of the whole
/// list. Outputs and seeds are filled in: a clip of several that has no seed gets its number as
/// seed, so that a list is the same whenever and wherever it is worked on. Looks at folders and the
/// batch file, at no picture. Throws Error{usage}, naming file and line of a batch, and
/// Error{image} where there is no picture.
std::vector<Job> list_jobs(const RenderOptions& options);

/// One clip by itself, with its names filled in and a seed drawn if it has none.
Job alone(Job job);

/// `text` with {stem}, {seed} and {index} replaced; {index:04} has leading zeros, {{ and }} are
/// braces. Throws Error{usage} naming `flag` for other names.
std::string fill_template(const std::string& flag, const std::string& text, const Job& job);

/// What {stem} stands for: the picture's file name without folder, extension and time stamp,
/// "video" for standard input.
std::string stem_of(const std::string& image);

/// The extension of pictures that --image-dir takes up, in lower case.
bool is_picture_name(const std::string& name);

}  // namespace svd::cli
