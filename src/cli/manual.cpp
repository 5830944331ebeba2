#include "cli/manual.h"

#include <fmt/core.h>

#include <string_view>

#include "cli/help.h"
#include "cli/option_table.h"
#include "svd/version.h"

namespace svd::cli {
namespace {

/// Text as roff takes it: hyphens stay hyphens, no line begins with a control character.
std::string roff(std::string_view text) {
  std::string escaped;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool at_start = i == 0 || text[i - 1] == '\n';
    if (at_start && (text[i] == '.' || text[i] == '\'')) escaped += "\\&";
    if (text[i] == '-')
      escaped += "\\-";
    else if (text[i] == '\\')
      escaped += "\\e";
    else
      escaped += text[i];
  }
  return escaped;
}

std::string option(const OptionRow& row) {
  std::string names = roff(row.names);
  const std::size_t comma = names.find(',');
  if (comma != std::string::npos) names = names.substr(0, comma) + ", " + names.substr(comma + 1);
  std::string text = fmt::format(".TP\n\\fB{}\\fR{}\n{}\n", names,
                                 row.value ? fmt::format(" \\fI{}\\fR", roff(row.value)) : "",
                                 roff(row.description));
  if (row.default_value) text += fmt::format("[default: {}]\n", roff(row.default_value));
  return text;
}

std::string options(const CommandRow& command) {
  std::string text, group;
  for (const OptionRow& row : command.options()) {
    if (!*row.group) continue;
    if (group != row.group) text += fmt::format(".SS {}\n", roff(row.group));
    group = row.group;
    text += option(row);
  }
  return text;
}

}  // namespace

std::string manual() {
  const CommandRow& rendering = commands().front();
  std::string text = fmt::format(
      ".TH SVD-GEN 1 \"\" \"svd-gen {}\" \"User Commands\"\n"
      ".SH NAME\nsvd\\-gen \\- {}\n"
      ".SH SYNOPSIS\n\\fBsvd\\-gen\\fR \\fB\\-\\-image\\fR \\fIFILE\\fR [\\fB\\-o\\fR "
      "\\fIPATH\\fR] "
      "[\\fIoptions\\fR]\n",
      version(), rendering.summary);
  for (const CommandRow& command : commands())
    if (*command.name)
      text += fmt::format(
          ".br\n\\fBsvd\\-gen {}\\fR{}\n", command.name,
          *command.arguments ? fmt::format(" \\fI{}\\fR", roff(command.arguments)) : "");
  text +=
      ".SH DESCRIPTION\n"
      "Turns a picture into a short video with Stable Video Diffusion. Messages go to standard\n"
      "error; standard output carries only what was asked for.\n"
      ".SH OPTIONS\n" +
      options(rendering);
  for (const CommandRow& command : commands())
    if (*command.name)
      text += fmt::format(".SH SVD\\-GEN {}\n{}\n", roff(command.name), roff(command.summary)) +
              (*command.description ? ".PP\n" + roff(command.description) : std::string()) +
              options(command);
  return text + ".SH EXIT STATUS AND ENVIRONMENT\n.nf\n" + roff(help_footer()) + ".fi\n";
}

}  // namespace svd::cli
