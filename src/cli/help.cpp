#include "cli/help.h"

#include <fmt/core.h>

#include <sstream>
#include <string>

namespace svd::cli {
namespace {

constexpr std::size_t kNameColumns = 30;
constexpr std::size_t kTextColumns = 65;

constexpr const char* kShortHelp = R"(svd-gen: animate a picture with Stable Video Diffusion

  svd-gen --image cat.png -o cat.mp4                  the model's defaults
  svd-gen --image cat.png --frames 25 --fps 12        25 frames, 2.08 s; writes cat.mp4
  svd-gen --image cat.png --seed 7 --overwrite        again, with another seed
  svd-gen --image cat.png --motion-bucket-id 60       calmer
  svd-gen --image cat.png -o frames/                  PNG frames
  svd-gen --image cat.png --model tiny --size 256x256 quick try with the demonstration model
  svd-gen --image a.png --image b.png --seeds 1..4    eight clips; --batch takes a list
  svd-gen replay cat.mp4                              the same clip again, from what it carries
  svd-gen doctor                                      what is there: devices, models, encoders

  -i, --image FILE     picture, or - for standard input
  -o, --output PATH    x.mp4, .mov, .mkv, .webm, .gif, .webp, frames/ or f_%04d.png
  -m, --model NAME     svd, svd-xt, svd-xt-1.1, tiny, or a path
      --frames N       --fps RATE   --size WxH   --seed N   --steps N
      --preset NAME    draft, standard, quality or low-memory
  -n, --dry-run        print the plan, write nothing
      --overwrite      replace existing output
      --json           machine-readable result on standard output
  -q, -v               less, more

--help lists everything; inspect, bench, show, decode, gallery and more are commands.
)";

constexpr const char* kFooter = R"(
Exit codes:
  0    done
  1    internal error
  2    wrong option or value
  3    input image
  4    model or weights
  5    device, or out of memory
  6    output or encoding; existing output without --overwrite
  130  interrupted (143: terminated); nothing is left behind

Environment:
  SVD_GEN_MODELS   folder with models
  SVD_GEN_DEVICE   stands for --device
  NO_COLOR         no colours, whatever the terminal

Examples:
  svd-gen --image cat.png --frames 25 --fps 12 -o cat.mp4
  svd-gen --image - --json < cat.png
  svd-gen inspect svd_xt.safetensors
)";

/// "-o,--output" and "PATH" as "-o, --output PATH", long names aligned.
std::string left_column(const OptionRow& row) {
  std::string names = row.names;
  const std::size_t comma = names.find(',');
  if (comma != std::string::npos) names = names.substr(0, comma) + ", " + names.substr(comma + 1);
  std::string column = names.starts_with("--") ? "      " : "  ";
  column += names;
  if (row.value) column += std::string(" ") + row.value;
  return column;
}

void add_row(std::ostream& out, const OptionRow& row) {
  std::string left = left_column(row);
  const std::string margin(kNameColumns, ' ');
  if (left.size() + 2 > kNameColumns) {
    out << left << '\n' << margin;
  } else {
    left.resize(kNameColumns, ' ');
    out << left;
  }
  std::string text = row.description;
  if (row.default_value) {
    const std::string shown = std::string("[default: ") + row.default_value + ']';
    const std::size_t last_line = text.size() - (text.rfind('\n') + 1);  // npos + 1 is 0
    text += (last_line + 1 + shown.size() <= kTextColumns ? " " : "\n") + shown;
  }
  for (const char c : text) {
    out << c;
    if (c == '\n') out << margin;
  }
  out << '\n';
}

std::string groups_of(const std::vector<OptionRow>& rows) {
  std::ostringstream out;
  std::string group;
  for (const OptionRow& row : rows) {
    if (*row.group == '\0') continue;
    if (group != row.group) out << '\n' << row.group << ":\n";
    group = row.group;
    add_row(out, row);
  }
  return out.str();
}

std::string list_of_commands() {
  std::string text;
  for (const CommandRow& row : commands()) {
    if (!*row.name) continue;
    const std::string call = fmt::format("svd-gen {} {}", row.name, row.arguments);
    text += fmt::format("  {:<36} {}\n", call, row.summary);
  }
  return text;
}

std::string render_help(const CommandRow& row) {
  return fmt::format(
             "svd-gen: {}\n\n  svd-gen --image FILE [-o PATH] [options]\n{}\n"
             "Messages go to standard error; standard output carries only what was asked for.\n",
             row.summary, list_of_commands()) +
         groups_of(row.options()) + kFooter;
}

}  // namespace

std::string short_help() { return kShortHelp; }

std::string help_footer() { return kFooter; }

std::string help_of(const CommandRow& row) {
  if (!*row.name) return render_help(row);
  const std::string call =
      fmt::format("svd-gen {} {}{}[options]", row.name, row.arguments, *row.arguments ? " " : "");
  return fmt::format("svd-gen {}: {}\n\n  {}\n{}{}", row.name, row.summary, call,
                     *row.description ? "\n" : "", row.description) +
         groups_of(row.options());
}

}  // namespace svd::cli
