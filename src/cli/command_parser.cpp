#include "cli/command_parser.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstring>

#include "base/suggest.h"
#include "svd/error.h"

namespace svd::cli {
namespace {

constexpr const char* kArguments = "arguments";

[[noreturn]] void refuse(const std::string& message, const std::string& hint = {}) {
  throw Error(ErrorKind::usage, message, hint);
}

/// CLI11 only collects text: its own conversions wrap, saturate and accept NaN.
void declare(CLI::App& app, const std::vector<OptionRow>& rows) {
  app.set_help_flag();
  app.allow_extras();  // reported by refuse_extras, with suggestions
  for (const OptionRow& row : rows) {
    if (row.value)
      app.add_option(row.names)->expected(1)->take_all();
    else
      app.add_flag(row.names)->take_last();
  }
}

std::vector<std::string> names_of(const std::vector<OptionRow>& rows) {
  std::vector<std::string> names;
  for (const OptionRow& row : rows) {
    const std::string name = long_name(row);
    if (*row.group && name.starts_with("--")) names.push_back(name);
  }
  return names;
}

std::vector<std::string> command_names() {
  std::vector<std::string> names;
  for (const CommandRow& row : commands())
    if (*row.name) names.emplace_back(row.name);
  return names;
}

void check_values(const OptionRow& row, const std::vector<std::string>& texts,
                  const std::vector<std::string>& names) {
  const std::string name = long_name(row);
  for (const std::string& text : texts) {
    if (row.value) {
      // CLI11 hands the next argument over even when it is an option.
      const bool is_option =
          std::find(names.begin(), names.end(), text.substr(0, text.find('='))) != names.end();
      if (text.empty() || text == "--" || is_option)
        refuse(fmt::format("{} needs a value: {}", name, row.value));
    } else if (text != "true") {
      refuse(fmt::format("{} takes no value", name));
    }
  }
}

RawOptions collect(const CLI::App& app, const std::vector<OptionRow>& rows) {
  const std::vector<std::string> names = names_of(rows);
  RawOptions raw;
  for (const OptionRow& row : rows) {
    const CLI::Option* option = app.get_option(long_name(row));
    if (option->count() == 0) continue;
    std::vector<std::string> texts = option->results();
    check_values(row, texts, names);
    if (!row.repeated) texts = {texts.back()};
    raw.set(long_name(row), {std::move(texts), "command line"});
  }
  return raw;
}

bool looks_like_option(const std::string& text) {
  return text.size() > 1 && text.front() == '-' && text != "--";
}

std::string hint_for_argument(const CommandRow& row, const std::string& text) {
  if (row.most_arguments > 0)
    return fmt::format("svd-gen {} takes one argument: {}", row.name, row.arguments);
  if (std::strcmp(row.name, "bench") == 0)
    return fmt::format("a model is given as --model {}", text);
  if (std::strcmp(row.name, "train") == 0)
    return fmt::format("a training file is given as --config {}", text);
  const std::string command = *row.name ? std::string() : did_you_mean(text, command_names());
  return command.empty() ? fmt::format("a picture is given as --image {}", text) : command;
}

void refuse_extras(const CommandRow& row, const std::vector<std::string>& extras) {
  if (extras.empty()) return;
  const auto option = std::find_if(extras.begin(), extras.end(), looks_like_option);
  if (option != extras.end()) {
    const std::string name = option->substr(0, option->find('='));
    std::string hint = did_you_mean(name, names_of(row.options()));
    if (hint.empty()) hint = fmt::format("see svd-gen {}{}--help", row.name, *row.name ? " " : "");
    refuse(fmt::format("unknown option {}", name), hint);
  }
  const std::string& text =
      extras.front() == "--" && extras.size() > 1 ? extras[1] : extras.front();
  refuse(fmt::format("unexpected argument '{}'", text), hint_for_argument(row, text));
}

/// The root's options belong to rendering; in front of a command only what it knows itself counts.
void refuse_render_options(const RawOptions& options, const CommandRow& row) {
  const std::vector<std::string> known = names_of(row.options());
  for (const auto& [name, value] : options.values()) {
    if (std::find(known.begin(), known.end(), name) == known.end() && name != "--force-tty")
      refuse(fmt::format("{} is not an option of svd-gen {}", name, row.name));
  }
}

void check_arguments(const CommandRow& row, const std::vector<std::string>& arguments) {
  const auto count = static_cast<int>(arguments.size());
  const bool is_empty = count > 0 && arguments.back().empty();
  if (count < row.least_arguments || is_empty)
    refuse(fmt::format("svd-gen {0} needs an argument: {1}", row.name, row.arguments),
           fmt::format("see svd-gen {} --help", row.name));
}

/// `help [COMMAND]` stands for `[COMMAND] --help`.
std::vector<std::string> without_help_command(std::vector<std::string> arguments) {
  if (arguments.empty() || arguments.front() != "help") return arguments;
  arguments.erase(arguments.begin());
  if (arguments.size() > 1) refuse(fmt::format("unexpected argument '{}'", arguments[1]));
  const std::vector<std::string> names = command_names();
  if (!arguments.empty() &&
      std::find(names.begin(), names.end(), arguments.front()) == names.end()) {
    const std::string hint = did_you_mean(arguments.front(), names);
    refuse(fmt::format("unknown command '{}'", arguments.front()),
           hint.empty() ? "svd-gen --help lists the commands" : hint);
  }
  arguments.emplace_back("--help");
  return arguments;
}

/// Turns CLI11's own complaints into ours.
void parse(CLI::App& app, const std::vector<std::string>& arguments) {
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ArgumentMismatch&) {
    const std::string& last = arguments.back();  // nothing else can lack its value
    refuse(fmt::format("{} needs a value", last.substr(0, last.find('='))));
  } catch (const CLI::ParseError& error) {
    refuse(error.what(), "see svd-gen --help");
  }
}

ParsedCommand of_command(const CommandRow& row, const CLI::App& app, const RawOptions& in_front,
                         const std::vector<std::string>& extras) {
  ParsedCommand parsed;
  parsed.row = &row;
  // What stands after the command wins.
  parsed.options = collect(app, row.options()).over(in_front);
  parsed.wants_help = parsed.options.has("--help") || parsed.options.has("-h");
  if (parsed.wants_help) return parsed;
  if (row.most_arguments > 0) parsed.arguments = app.get_option(kArguments)->results();
  const bool is_mark = extras == std::vector<std::string>{"--"};  // of "show -- -clip.mp4"
  if (parsed.arguments.empty() || !is_mark) refuse_extras(row, extras);
  refuse_render_options(parsed.options, row);
  check_arguments(row, parsed.arguments);
  return parsed;
}

}  // namespace

ParsedCommand parse_command(const std::vector<std::string>& given) {
  const std::vector<std::string> arguments = without_help_command(given);
  CLI::App app;
  declare(app, render_options());
  for (const CommandRow& row : commands()) {
    if (!*row.name) continue;
    CLI::App* const command = app.add_subcommand(row.name);
    declare(*command, row.options());
    if (row.most_arguments > 0) command->add_option(kArguments)->expected(row.most_arguments);
  }
  parse(app, arguments);
  const RawOptions options = collect(app, render_options());
  const std::vector<std::string> extras = app.remaining(true);
  for (const CLI::App* command : app.get_subcommands())
    return of_command(command_row(command->get_name()), *command, options, extras);
  ParsedCommand parsed;
  parsed.row = &commands().front();
  parsed.options = options;
  parsed.wants_help = options.has("--help");
  parsed.wants_short_help = !parsed.wants_help && options.has("-h");
  if (!parsed.wants_help && !parsed.wants_short_help) refuse_extras(*parsed.row, extras);
  return parsed;
}

}  // namespace svd::cli
