#include "cli/options.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <map>

#include "base/suggest.h"
#include "cli/option_table.h"
#include "cli/values.h"
#include "svd/error.h"

namespace svd::cli {
namespace {

/// Long name (the only one where there is no long) -> last value; flags have an empty one.
using RawOptions = std::map<std::string, std::string>;

[[noreturn]] void refuse(const std::string& message, const std::string& hint = {}) {
  throw Error(ErrorKind::usage, message, hint);
}

std::string key_of(const OptionRow& row) {
  const std::string names = row.names;
  const std::size_t comma = names.rfind(',');
  return comma == std::string::npos ? names : names.substr(comma + 1);
}

/// CLI11 only collects text: its own conversions wrap, saturate and accept NaN.
void declare(CLI::App& app, const std::vector<OptionRow>& rows) {
  app.set_help_flag();
  app.allow_extras();  // reported by refuse_extras, with suggestions
  for (const OptionRow& row : rows) {
    if (row.value)
      app.add_option(row.names)->expected(1)->take_last();
    else
      app.add_flag(row.names)->take_last();
  }
}

std::vector<std::string> names_of(const std::vector<OptionRow>& rows) {
  std::vector<std::string> names;
  for (const OptionRow& row : rows) {
    const std::string key = key_of(row);
    if (*row.group && key.starts_with("--")) names.push_back(key);
  }
  return names;
}

RawOptions collect(const CLI::App& app, const std::vector<OptionRow>& rows) {
  const std::vector<std::string> names = names_of(rows);
  RawOptions raw;
  for (const OptionRow& row : rows) {
    const std::string key = key_of(row);
    const CLI::Option* option = app.get_option(key);
    if (option->count() == 0) continue;
    const std::string value = option->results().back();
    if (row.value) {
      // CLI11 hands the next argument over even when it is an option.
      const bool is_option =
          std::find(names.begin(), names.end(), value.substr(0, value.find('='))) != names.end();
      if (value.empty() || value == "--" || is_option)
        refuse(fmt::format("{} needs a value: {}", key, row.value));
      raw[key] = value;
    } else {
      if (value != "true") refuse(fmt::format("{} takes no value", key));
      raw[key] = {};
    }
  }
  return raw;
}

/// `command` is empty for rendering.
void refuse_extras(const std::vector<std::string>& extras, const std::vector<std::string>& names,
                   const std::string& command) {
  if (extras.empty()) return;
  const auto option = std::find_if(extras.begin(), extras.end(), [](const std::string& text) {
    return text.size() > 1 && text.front() == '-' && text != "--";
  });
  if (option != extras.end()) {
    const std::string name = option->substr(0, option->find('='));
    std::string hint = did_you_mean(name, names);
    if (hint.empty())
      hint = fmt::format("see svd-gen {}--help", command + (command.empty() ? "" : " "));
    refuse(fmt::format("unknown option {}", name), hint);
  }
  const std::string& text =
      extras.front() == "--" && extras.size() > 1 ? extras[1] : extras.front();
  std::string hint;
  if (command == "inspect") hint = "svd-gen inspect takes one model";
  if (command == "bench") hint = fmt::format("a model is given as --model {}", text);
  if (command.empty()) hint = did_you_mean(text, {"inspect", "bench"});
  if (hint.empty()) hint = fmt::format("a picture is given as --image {}", text);
  refuse(fmt::format("unexpected argument '{}'", text), hint);
}

MessageOptions message_options(const RawOptions& raw) {
  MessageOptions messages;
  messages.json = raw.contains("--json");
  messages.quiet = raw.contains("--quiet");
  messages.verbose = raw.contains("--verbose");
  messages.force_tty = raw.contains("--force-tty");
  if (messages.quiet && messages.verbose) refuse("--quiet and --verbose exclude each other");
  return messages;
}

/// Calls `use(flag, text)` when the option was given.
template <typename Use>
void with(const RawOptions& raw, const std::string& flag, Use use) {
  const auto found = raw.find(flag);
  if (found != raw.end()) use(flag, found->second);
}

RequestOptions request_options(const RawOptions& raw) {
  RequestOptions request;
  const auto read = [&raw](const char* name, auto& target, auto parse) {
    with(raw, name, [&](const auto& flag, const auto& text) { target = parse(flag, text); });
  };
  const auto as_text = [](const std::string&, const std::string& text) { return text; };
  read("--frames", request.frames, parse_int);
  read("--fps", request.fps, parse_double);
  read("--condition-fps", request.condition_fps, parse_double);
  read("--steps", request.steps, parse_int);
  read("--seed", request.seed, parse_uint64);
  read("--motion-bucket-id", request.motion_bucket_id, parse_double);
  read("--noise-aug-strength", request.noise_aug_strength, parse_double);
  read("--min-guidance", request.min_guidance, parse_double);
  read("--max-guidance", request.max_guidance, parse_double);
  with(raw, "--size", [&](const auto& flag, const auto& text) {
    std::tie(request.width, request.height) = parse_size(flag, text);
  });
  read("--fit", request.fit, parse_fit);
  read("--dtype", request.dtype, parse_dtype);
  read("--vae-dtype", request.vae_dtype, parse_dtype);
  read("--device", request.device, as_text);
  read("--threads", request.threads, parse_int);
  read("--memory", request.memory_bytes, parse_bytes);
  read("--decode-chunk", request.decode_chunk, parse_int);
  read("--profile", request.profile, parse_profile);
  read("--save-latents", request.save_latents, as_text);
  read("--init-latents", request.init_latents, as_text);
  return request;
}

/// NAME.mp4 in the current folder.
std::string default_output(const std::string& image) {
  if (image == "-") return "video.mp4";
  const std::string stem = std::filesystem::path(image).stem().string();
  return (stem.empty() || stem == "." || stem == ".." ? "video" : stem) + ".mp4";
}

RenderOptions render_options_of(const RawOptions& raw) {
  RenderOptions render;
  render.request = request_options(raw);
  with(raw, "--image", [&](const auto&, const auto& text) { render.image = text; });
  with(raw, "--output", [&](const auto&, const auto& text) { render.output = text; });
  with(raw, "--model", [&](const auto&, const auto& text) { render.model = text; });
  with(raw, "--models-dir", [&](const auto&, const auto& text) { render.models_dir = text; });
  render.overwrite = raw.contains("--overwrite");
  render.dry_run = raw.contains("--dry-run");
  if (render.image.empty())
    refuse("--image is missing: which picture is to be animated?",
           "svd-gen --image cat.png -o cat.mp4; svd-gen -h shows more");
  render.output_is_derived = render.output.empty();
  if (render.output_is_derived) render.output = default_output(render.image);
  return render;
}

/// The root's options belong to rendering; in front of a subcommand only what it knows itself
/// counts.
void refuse_render_options(const RawOptions& raw, const std::vector<std::string>& known,
                           const std::string& command) {
  for (const auto& [name, value] : raw) {
    if (std::find(known.begin(), known.end(), name) == known.end() && name != "--force-tty")
      refuse(fmt::format("{} is not an option of svd-gen {}", name, command));
  }
}

/// Reads what a subcommand was given into `raw`, which holds what stood in front of it. False: help
/// was asked for.
bool read_subcommand(const CLI::App& app, const std::vector<OptionRow>& rows,
                     const std::vector<std::string>& extras, RawOptions& raw) {
  RawOptions own = collect(app, rows);
  own.merge(raw);  // what stands after the command wins
  raw = std::move(own);
  if (raw.contains("--help") || raw.contains("-h")) return false;
  refuse_extras(extras, names_of(rows), app.get_name());
  refuse_render_options(raw, names_of(rows), app.get_name());
  return true;
}

CommandLine help_line(std::string text) {
  CommandLine line;
  line.command = Command::help;
  line.help = std::move(text);
  return line;
}

CommandLine parsed_inspect(const CLI::App& inspect, RawOptions raw,
                           const std::vector<std::string>& extras) {
  if (!read_subcommand(inspect, inspect_options(), extras, raw)) return help_line(inspect_help());
  CommandLine line;
  line.command = Command::inspect;
  line.messages = message_options(raw);
  const CLI::Option* path = inspect.get_option("path");
  if (path->count() == 0 || path->results().back().empty())
    refuse("svd-gen inspect needs a model: a name or a path", "svd-gen inspect model.safetensors");
  line.inspect.path = path->results().back();
  with(raw, "--models-dir", [&](const auto&, const auto& text) { line.inspect.models_dir = text; });
  return line;
}

CommandLine parsed_bench(const CLI::App& app, RawOptions raw,
                         const std::vector<std::string>& extras) {
  if (!read_subcommand(app, bench_options(), extras, raw)) return help_line(bench_help());
  CommandLine line;
  line.command = Command::bench;
  line.messages = message_options(raw);
  BenchOptions& bench = line.bench;
  bench.request = request_options(raw);
  with(raw, "--image", [&](const auto&, const auto& text) { bench.image = text; });
  with(raw, "--model", [&](const auto&, const auto& text) { bench.model = text; });
  with(raw, "--models-dir", [&](const auto&, const auto& text) { bench.models_dir = text; });
  with(raw, "--warmup-steps",
       [&](const auto& flag, const auto& text) { bench.warmup_steps = parse_int(flag, text); });
  with(raw, "--without", [&](const auto&, const auto& text) { bench.without = split_names(text); });
  bench.profile_operations = raw.contains("--profile-ops");
  return line;
}

CommandLine parsed_render(const RawOptions& raw, const std::vector<std::string>& extras) {
  if (raw.contains("--help") || raw.contains("-h"))
    return help_line(raw.contains("--help") ? full_help() : short_help());
  refuse_extras(extras, names_of(render_options()), "");
  CommandLine line;
  line.messages = message_options(raw);
  if (raw.contains("--version"))
    line.command = Command::version;
  else
    line.render = render_options_of(raw);
  return line;
}

}  // namespace

CommandLine parse_command_line(const std::vector<std::string>& arguments) {
  CLI::App app;
  declare(app, render_options());
  CLI::App* inspect = app.add_subcommand("inspect");
  declare(*inspect, inspect_options());
  inspect->add_option("path");
  CLI::App* bench = app.add_subcommand("bench");
  declare(*bench, bench_options());
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ArgumentMismatch&) {
    const std::string& last = arguments.back();  // nothing else can lack its value
    refuse(fmt::format("{} needs a value", last.substr(0, last.find('='))));
  } catch (const CLI::ParseError& error) {
    refuse(error.what(), "see svd-gen --help");
  }
  const RawOptions raw = collect(app, render_options());
  const std::vector<std::string> extras = app.remaining(true);
  if (inspect->parsed()) return parsed_inspect(*inspect, raw, extras);
  if (bench->parsed()) return parsed_bench(*bench, raw, extras);
  return parsed_render(raw, extras);
}

bool wants_json(const std::vector<std::string>& arguments) {
  const auto end = std::find(arguments.begin(), arguments.end(), "--");
  return std::find(arguments.begin(), end, "--json") != end;
}

}  // namespace svd::cli
