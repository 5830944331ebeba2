#pragma once

#include <string>
#include <vector>

namespace svd::cli {

/// What an option belongs to.
enum class Scope {
  clip,  ///< one clip: also a key of batch lines, --config and presets
  run,   ///< the command as a whole
};

/// One option as parser, help and suggestions know it.
struct OptionRow {
  const char* group;
  const char* names;          ///< long name last: "-o,--output"
  const char* value;          ///< what the value is called in the help; null: a flag
  const char* default_value;  ///< as the help shows it; null: none
  const char* description;    ///< lines of at most 60 columns
  Scope scope = Scope::clip;
  bool repeated = false;  ///< every value counts, not only the last
};

/// A command as parser, help, manual and completions know it.
struct CommandRow {
  const char* name;       ///< empty: rendering
  const char* arguments;  ///< what the help shows after the name: "FILE"; empty: none
  int least_arguments;
  int most_arguments;
  const char* summary;      ///< one line
  const char* description;  ///< paragraphs of the help, ends with a line break; may be empty
  const std::vector<OptionRow>& (*options)();
};

/// All commands, rendering first.
const std::vector<CommandRow>& commands();
/// The row of a command; rendering for an empty name.
const CommandRow& command_row(const std::string& name);

/// Options of rendering, in the order of the help.
const std::vector<OptionRow>& render_options();

}  // namespace svd::cli
