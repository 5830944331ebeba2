#pragma once

#include <string>
#include <vector>

namespace svd::cli {

/// One option as parser, help and suggestions know it.
struct OptionRow {
  const char* group;
  const char* names;          ///< long name last: "-o,--output"
  const char* value;          ///< what the value is called in the help; null: a flag
  const char* default_value;  ///< as the help shows it; null: none
  const char* description;    ///< lines of at most 60 columns
};

/// Options of rendering, in the order of the help.
const std::vector<OptionRow>& render_options();
/// Options of `svd-gen inspect`.
const std::vector<OptionRow>& inspect_options();
/// Options of `svd-gen bench`: those of rendering that say what is computed, and its own.
const std::vector<OptionRow>& bench_options();

/// `-h`: one screen, examples first.
std::string short_help();
/// `--help`: every option in groups with its default, exit codes, environment, examples.
std::string full_help();
/// `inspect --help`
std::string inspect_help();
/// `bench --help`
std::string bench_help();

}  // namespace svd::cli
