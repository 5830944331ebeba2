#pragma once

#include <optional>
#include <string>
#include <vector>

#include "svd/request.h"

namespace svd::cli {

/// What every command takes.
struct MessageOptions {
  bool json = false;
  bool quiet = false;
  bool verbose = false;
  bool force_tty = false;
};

/// `svd-gen --image ...`
struct RenderOptions {
  std::string image;   ///< path, or "-"
  std::string output;  ///< as given, or derived from the image's name
  bool output_is_derived = false;
  bool overwrite = false;
  bool dry_run = false;
  std::optional<std::string> model;
  std::optional<std::string> models_dir;
  RequestOptions request;
};

/// `svd-gen inspect PATH`
struct InspectOptions {
  std::string path;
  std::optional<std::string> models_dir;
};

/// `svd-gen bench ...`
struct BenchOptions {
  std::optional<std::string> image;  ///< path, or "-"; unset: a picture that is drawn
  std::optional<std::string> model;
  std::optional<std::string> models_dir;
  std::optional<int> warmup_steps;
  bool profile_operations = false;
  std::vector<std::string> without;  ///< savings to switch off (nn/savings.h)
  RequestOptions request;
};

enum class Command { render, inspect, bench, version, help };

/// A parsed command line. Nothing but the text was looked at: no file, no ranges (svd::validate).
struct CommandLine {
  Command command = Command::render;
  std::string help;  ///< the text that was asked for, for Command::help
  MessageOptions messages;
  RenderOptions render;
  InspectOptions inspect;
  BenchOptions bench;
};

/// Reads the arguments (without the program's name). Throws Error{usage}, with a suggestion for
/// names that look mistyped. An option given twice has its last value.
CommandLine parse_command_line(const std::vector<std::string>& arguments);

/// Whether the arguments ask for JSON; for reporting arguments that do not parse.
bool wants_json(const std::vector<std::string>& arguments);

}  // namespace svd::cli
