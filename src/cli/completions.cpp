#include "cli/completions.h"

#include <fmt/core.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/suggest.h"
#include "cli/option_table.h"
#include "cli/raw_options.h"
#include "svd/error.h"

namespace svd::cli {
namespace {

/// What a value is, as far as a shell can complete it.
struct Values {
  enum class Kind { none, other, file, folder, words } kind = Kind::none;
  std::vector<std::string> words;
};

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t end = 0; end != std::string::npos; begin = end + 1) {
    end = text.find(separator, begin);
    parts.push_back(text.substr(begin, end == std::string::npos ? end : end - begin));
  }
  return parts;
}

Values values_of(const char* value) {
  if (value == nullptr) return {};
  const std::string_view text = value;
  if (text.find('|') != std::string_view::npos) {
    Values values{Values::Kind::words, split(std::string(text), '|')};
    for (std::string& word : values.words)  // "cuda[:N]"
      word = word.substr(0, word.find('['));
    return values;
  }
  if (text == "DIR") return {Values::Kind::folder, {}};
  for (const char* name : {"FILE", "PATH", "NAME_OR_PATH", "DIR_OR_GLOB", "LATENTS"})
    if (text == name) return {Values::Kind::file, {}};
  return {Values::Kind::other, {}};
}

std::vector<std::string> names_of(const OptionRow& row) { return split(row.names, ','); }

std::string first_line(const char* text) {
  const std::string all = text;
  return all.substr(0, all.find('\n'));
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

/// Calls `use(row)` for the options that the help shows.
template <typename Use>
void for_options(const CommandRow& command, const Use& use) {
  for (const OptionRow& row : command.options())
    if (*row.group) use(row);
}

std::string bash_values(const CommandRow& command) {
  std::string cases;
  for_options(command, [&](const OptionRow& row) {
    const Values values = values_of(row.value);
    if (values.kind == Values::Kind::none) return;
    std::string names;
    for (const std::string& name : names_of(row)) names += (names.empty() ? "" : "|") + name;
    std::string reply = "COMPREPLY=()";
    if (values.kind == Values::Kind::file) reply = "COMPREPLY=($(compgen -f -- \"$word\"))";
    if (values.kind == Values::Kind::folder) reply = "COMPREPLY=($(compgen -d -- \"$word\"))";
    if (values.kind == Values::Kind::words)
      reply = fmt::format("COMPREPLY=($(compgen -W '{}' -- \"$word\"))", joined(values.words));
    cases += fmt::format("        {}) {}; return ;;\n", names, reply);
  });
  return cases;
}

std::string bash() {
  std::string names, branches;
  for (const CommandRow& command : commands()) {
    if (*command.name) names += std::string(names.empty() ? "" : " ") + command.name;
    std::string options;
    for_options(command, [&](const OptionRow& row) {
      for (const std::string& name : names_of(row)) options += " " + name;
    });
    const Values argument = values_of(*command.arguments ? command.arguments : nullptr);
    branches += fmt::format(
        "    {})\n      case $before in\n{}      esac\n      options='{}' arguments='{}' ;;\n",
        *command.name ? command.name : "''", bash_values(command),
        options.empty() ? options : options.substr(1), joined(argument.words));
  }
  return fmt::format(R"(# bash completion for svd-gen
_svd_gen() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}}
  local command='' options='' arguments='' i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case " {0} " in
      *" ${{COMP_WORDS[i]}} "*) command=${{COMP_WORDS[i]}}; break ;;
    esac
  done
  case $command in
{1}  esac
  if [[ $COMP_CWORD == 1 ]]; then arguments='{0}'; fi
  if [[ $word == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
  elif [[ -n $arguments ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$arguments" -- "$word")
  else
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
  fi
}}
complete -o filenames -F _svd_gen svd-gen
)",
                     names, branches);
}

/// In single quotes for zsh's _arguments, where brackets and colons have a meaning.
std::string zsh_text(const std::string& text) {
  std::string quoted;
  for (const char letter : text) {
    if (letter == '\'')
      quoted += "'\\''";
    else if (letter == '[' || letter == ']' || letter == ':')
      quoted += std::string("\\") + letter;
    else
      quoted += letter;
  }
  return quoted;
}

std::string zsh_action(const Values& values) {
  switch (values.kind) {
    case Values::Kind::none:
      return "";
    case Values::Kind::file:
      return ":file:_files";
    case Values::Kind::folder:
      return ":folder:_files -/";
    case Values::Kind::words:
      return ":value:(" + joined(values.words) + ")";
    case Values::Kind::other:
      return ":value: ";
  }
  return "";
}

/// What follows "N:" of a positional argument: a message and what completes it.
std::string zsh_argument(const Values& values) {
  const std::string action = zsh_action(values);
  return action.empty() ? "argument: " : action.substr(1);
}

std::string zsh() {
  std::string list, branches;
  for (const CommandRow& command : commands()) {
    std::string specs;
    for_options(command, [&](const OptionRow& row) {
      for (const std::string& name : names_of(row))
        specs +=
            fmt::format("        '{}{}[{}]{}' \\\n", row.repeated ? "*" : "", name,
                        zsh_text(first_line(row.description)), zsh_action(values_of(row.value)));
    });
    if (*command.name)
      list += fmt::format("    '{}:{}'\n", command.name, zsh_text(command.summary));
    const Values argument = values_of(*command.arguments ? command.arguments : nullptr);
    const std::string rest =
        *command.name ? fmt::format("'1:{}'", zsh_argument(argument)) : "'1:command:->command'";
    branches += fmt::format("    {})\n      _arguments -s \\\n{}        {} ;;\n",
                            *command.name ? command.name : "''", specs, rest);
  }
  return fmt::format(R"(#compdef svd-gen
# zsh completion for svd-gen
_svd_gen() {{
  local command='' state word
  local -a names
  names=(
{0}  )
  for word in ${{words[2,CURRENT-1]}}; do
    if (( ${{names[(I)$word:*]}} )); then command=$word; break; fi
  done
  if [[ -n $command ]]; then
    words=($command ${{words[${{words[(i)$command]}}+1,-1]}})
    (( CURRENT = ${{#words}} ))
  fi
  case $command in
{1}  esac
  if [[ $state == command ]]; then _describe command names; fi
}}
_svd_gen "$@"
)",
                     list, branches);
}

std::string fish_text(const std::string& text) {
  std::string quoted;
  for (const char letter : text)
    quoted += letter == '\'' ? std::string("\\'") : std::string(1, letter);
  return quoted;
}

std::string fish() {
  std::string script = "# fish completion for svd-gen\ncomplete -c svd-gen -f\n";
  std::string names;
  for (const CommandRow& command : commands())
    if (*command.name) names += std::string(names.empty() ? "" : " ") + command.name;
  for (const CommandRow& command : commands()) {
    const std::string when = *command.name
                                 ? std::string("__fish_seen_subcommand_from ") + command.name
                                 : "not __fish_seen_subcommand_from " + names;
    if (*command.name)
      script +=
          fmt::format("complete -c svd-gen -n 'not __fish_seen_subcommand_from {}' -a {} -d '{}'\n",
                      names, command.name, fish_text(command.summary));
    const Values argument = values_of(*command.arguments ? command.arguments : nullptr);
    if (argument.kind == Values::Kind::words)
      script += fmt::format("complete -c svd-gen -n '{}' -a '{}'\n", when, joined(argument.words));
    else if (argument.kind != Values::Kind::none)
      script += fmt::format("complete -c svd-gen -n '{}' -F\n", when);
    for_options(command, [&](const OptionRow& row) {
      std::string line = fmt::format("complete -c svd-gen -n '{}'", when);
      for (const std::string& name : names_of(row))
        line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      const Values values = values_of(row.value);
      if (values.kind == Values::Kind::words)
        line += fmt::format(" -x -a '{}'", joined(values.words));
      if (values.kind == Values::Kind::other) line += " -x";
      if (values.kind == Values::Kind::file) line += " -r -F";
      if (values.kind == Values::Kind::folder) line += " -x -a '(__fish_complete_directories)'";
      script += line + fmt::format(" -d '{}'\n", fish_text(first_line(row.description)));
    });
  }
  return script;
}

}  // namespace

std::string completions(const std::string& shell) {
  if (shell == "bash") return bash();
  if (shell == "zsh") return zsh();
  if (shell == "fish") return fish();
  std::string hint = did_you_mean(shell, {"bash", "zsh", "fish"});
  throw Error(ErrorKind::usage, fmt::format("'{}' is not a shell of bash, zsh and fish", shell),
              hint);
}

}  // namespace svd::cli
