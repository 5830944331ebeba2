#include "cli/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "cli/command_parser.h"
#include "cli/help.h"
#include "cli/settings.h"
#include "cli/values.h"
#include "svd/error.h"
#include "training/synth.h"
#include "weights/lora.h"

namespace svd::cli {
namespace {

constexpr std::size_t kMostSeeds = 100'000;

[[noreturn]] void refuse(const std::string& message, const std::string& hint = {}) {
  throw Error(ErrorKind::usage, message, hint);
}

[[noreturn]] void refuse_standard_output(const std::string& name) {
  refuse(name + " - does not write to standard output: a file is needed",
         "./- is a file of that name");
}

/// Reads `name` into `target`, where it was given.
template <typename Target, typename Parse>
void read(const RawOptions& raw, const std::string& name, Target& target, const Parse& parse) {
  if (const std::string* const text = raw.text(name)) target = parse(name, *text);
}
template <typename Target>
void read(const RawOptions& raw, const std::string& name, Target& target) {
  if (const std::string* const text = raw.text(name)) target = *text;
}

RequestOptions read_request(const RawOptions& raw) {
  RequestOptions request;
  read(raw, "--frames", request.frames, parse_int);
  read(raw, "--fps", request.fps, parse_double);
  read(raw, "--condition-fps", request.condition_fps, parse_double);
  read(raw, "--steps", request.steps, parse_int);
  read(raw, "--seed", request.seed, parse_uint64);
  read(raw, "--motion-bucket-id", request.motion_bucket_id, parse_double);
  read(raw, "--noise-aug-strength", request.noise_aug_strength, parse_double);
  read(raw, "--min-guidance", request.min_guidance, parse_double);
  read(raw, "--max-guidance", request.max_guidance, parse_double);
  if (const std::string* const text = raw.text("--size"))
    std::tie(request.width, request.height) = parse_size("--size", *text);
  read(raw, "--fit", request.fit, parse_fit);
  read(raw, "--dtype", request.dtype, parse_dtype);
  read(raw, "--vae-dtype", request.vae_dtype, parse_dtype);
  read(raw, "--device", request.device);
  read(raw, "--threads", request.threads, parse_int);
  read(raw, "--memory", request.memory_bytes, parse_bytes);
  read(raw, "--decode-chunk", request.decode_chunk, parse_int);
  read(raw, "--profile", request.profile, parse_profile);
  read(raw, "--save-latents", request.save_latents);
  read(raw, "--init-latents", request.init_latents);
  return request;
}

EncodingOptions read_encoding(const RawOptions& raw) {
  EncodingOptions encoding;
  read(raw, "--format", encoding.format);
  read(raw, "--codec", encoding.codec);
  read(raw, "--crf", encoding.crf, parse_int);
  read(raw, "--quality", encoding.quality, parse_int);
  read(raw, "--pixel-format", encoding.pixel_format);
  read(raw, "--bit-depth", encoding.bit_depth, parse_int);
  read(raw, "--loop", encoding.loop, parse_loop);
  read(raw, "--interpolate", encoding.interpolate, parse_int);
  encoding.sidecar = raw.is_set("--sidecar");
  return encoding;
}

MessageOptions read_messages(const RawOptions& raw) {
  MessageOptions messages;
  messages.json = raw.is_set("--json");
  messages.quiet = raw.is_set("--quiet");
  messages.verbose = raw.is_set("--verbose");
  messages.force_tty = raw.is_set("--force-tty");
  read(raw, "--progress", messages.progress, parse_progress);
  read(raw, "--color", messages.color, parse_color);
  if (messages.quiet && messages.verbose) refuse("--quiet and --verbose exclude each other");
  return messages;
}

/// "1..8" or "3,5,9"
std::vector<std::uint64_t> parse_seeds(const std::string& flag, const std::string& text) {
  std::vector<std::uint64_t> seeds;
  const std::size_t dots = text.find("..");
  if (dots != std::string::npos) {
    const std::uint64_t first = parse_uint64(flag, text.substr(0, dots));
    const std::uint64_t last = parse_uint64(flag, text.substr(dots + 2));
    if (last < first || last - first >= kMostSeeds)
      refuse(fmt::format("{} {} is no range of 1 to {} seeds", flag, text, kMostSeeds));
    for (std::uint64_t i = 0; i <= last - first; ++i) seeds.push_back(first + i);
    return seeds;
  }
  for (const std::string& name : split_names(text)) seeds.push_back(parse_uint64(flag, name));
  return seeds;
}

/// "0/4"
Shard parse_shard(const std::string& flag, const std::string& text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) refuse(fmt::format("{} '{}' is not I/N like 0/4", flag, text));
  Shard shard;
  shard.index = parse_int(flag, text.substr(0, slash));
  shard.count = parse_int(flag, text.substr(slash + 1));
  if (shard.count < 1 || shard.index < 0 || shard.index >= shard.count)
    refuse(fmt::format("{} {} is out of range: I from 0 to N-1 is accepted", flag, text));
  return shard;
}

void check_sources(const RenderOptions& render) {
  const bool has_picture = !render.images.empty() || render.image_dir || render.batch;
  if (!has_picture && !render.print_config)
    refuse("--image is missing: which picture is to be animated?",
           "svd-gen --image cat.png -o cat.mp4; svd-gen -h shows more");
  if (render.batch && render.image_dir) refuse("--batch and --image-dir exclude each other");
  if (render.job.request.seed && !render.seeds.empty())
    refuse("--seed and --seeds exclude each other");
  if (render.repeat > 1 && !render.seeds.empty())
    refuse("--seeds and --repeat exclude each other", "--seed N --repeat M counts up from N");
  if (render.repeat < 1 || render.repeat > static_cast<int>(kMostSeeds))
    refuse(
        fmt::format("--repeat {} is out of range: 1 to {} is accepted", render.repeat, kMostSeeds));
  if (render.resume && render.skip_existing)
    refuse("--resume and --skip-existing exclude each other");
}

RenderOptions read_render(const RawOptions& given) {
  RenderOptions render;
  render.raw = with_settings(given);
  render.job = read_job(render.raw);
  render.images = given.texts("--image");
  if (render.images.empty()) render.images = render.raw.texts("--image");  // of --config
  read(given, "--image-dir", render.image_dir);
  read(given, "--batch", render.batch);
  read(given, "--results", render.results);
  if (render.results == "-") refuse_standard_output("--results");
  read(given, "--seeds", render.seeds, parse_seeds);
  read(given, "--repeat", render.repeat, parse_int);
  read(given, "--shard", render.shard, parse_shard);
  render.resume = given.is_set("--resume");
  render.skip_existing = given.is_set("--skip-existing");
  render.dry_run = given.is_set("--dry-run");
  render.print_config = given.is_set("--print-config");
  check_sources(render);
  return render;
}

/// The value of --set: a flag's are true and false, all others are read as on the command line.
Json json_value(const std::string& text) {
  return text == "true" ? Json(true) : text == "false" ? Json(false) : Json(text);
}

/// The --set of a replay as options of a clip.
RawOptions read_changes(const RawOptions& given) {
  RawOptions changes = given;
  changes.erase("--set");
  for (const std::string& text : given.texts("--set")) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals + 1 == text.size())
      refuse(fmt::format("--set '{}' is not KEY=VALUE like steps=30", text));
    const RawOptions change =
        read_json_options(Json{{text.substr(0, equals), json_value(text.substr(equals + 1))}},
                          "--set " + text, kSetOrigin);
    for (const auto& [name, value] : change.values())
      if (given.has(name)) refuse(fmt::format("{} and --set {} exclude each other", name, text));
    changes = change.over(changes);
  }
  return changes;
}

/// Checked, as far as that needs no file.
std::vector<std::string> read_loras(const RawOptions& raw) {
  std::vector<std::string> loras;
  for (const std::string& text : raw.texts("--lora"))
    for (const std::string& lora : split_names(text)) {
      if (lora != text && lora.find_first_not_of("0123456789") == std::string::npos)
        refuse(fmt::format("--lora {}: '{}' is no LoRA", text, lora),
               "commas stand between LoRAs; a strength has a point, as zoom:0.8");
      loras.push_back(lora);
    }
  for (const std::string& lora : loras) weights::parse_lora(lora);
  return loras;
}

BenchOptions read_bench(const RawOptions& raw) {
  BenchOptions bench;
  bench.request = read_request(raw);
  read(raw, "--image", bench.image);
  read(raw, "--model", bench.model);
  read(raw, "--models-dir", bench.models_dir);
  bench.loras = read_loras(raw);
  read(raw, "--warmup-steps", bench.warmup_steps, parse_int);
  if (const std::string* const text = raw.text("--without")) bench.without = split_names(*text);
  bench.profile_operations = raw.is_set("--profile-ops");
  return bench;
}

int positive(const std::string& flag, const std::string& text) {
  const int value = parse_int(flag, text);
  if (value < 1) refuse(fmt::format("{} {} is out of range: 1 or more", flag, text));
  return value;
}

int clip_length(const std::string& flag, const std::string& text) {
  const int value = parse_int(flag, text);
  if (value < 1 || value > training::kMostFrames)
    refuse(fmt::format("{} {} is out of range: 1 to {}", flag, text, training::kMostFrames));
  return value;
}

std::pair<int, int> clip_size(const std::string& flag, const std::string& text) {
  const std::pair<int, int> size = parse_size(flag, text);
  for (const int side : {size.first, size.second})
    if (side < training::kLeastSide || side > training::kMostSide)
      refuse(fmt::format("{} {} is out of range: sides from {} to {}", flag, text,
                         training::kLeastSide, training::kMostSide));
  return size;
}

void check_bytes(const std::string& flag, const std::pair<int, int>& size, int frames) {
  const std::int64_t bytes = std::int64_t{3} * size.first * size.second * frames;
  if (bytes > training::kMostBytes)
    refuse(fmt::format("{} {}x{} with --frames {} is out of range: a clip has at most {} MiB", flag,
                       size.first, size.second, frames, training::kMostBytes >> 20));
}

double rate(const std::string& flag, const std::string& text) {
  const double value = parse_double(flag, text);
  if (!(value >= 0.1 && value <= 1000))
    refuse(fmt::format("{} {} is out of range: 0.1 to 1000", flag, text));
  return value;
}

SynthCommandOptions read_synth(const ParsedCommand& parsed) {
  const RawOptions& raw = parsed.options;
  SynthCommandOptions synth;
  synth.folder = parsed.arguments.front();
  read(raw, "--clips", synth.clips, positive);
  read(raw, "--frames", synth.frames, clip_length);
  if (const std::string* const text = raw.text("--sizes")) {
    synth.sizes.clear();
    for (const std::string& size : split_names(*text))
      synth.sizes.push_back(clip_size("--sizes", size));
  }
  for (const auto& size : synth.sizes) check_bytes("--sizes", size, synth.frames);
  if (const std::string* const text = raw.text("--motions")) synth.motions = split_names(*text);
  for (const std::string& name : synth.motions)
    if (!training::motion_named(name)) {
      std::vector<std::string> known;
      for (const training::Motion motion : training::all_motions())
        known.emplace_back(to_string(motion));
      refuse(fmt::format("--motions {}: unknown", printable(name)),
             fmt::format("known: {}", fmt::join(known, ", ")));
    }
  read(raw, "--fps", synth.fps, rate);
  read(raw, "--seed", synth.seed, parse_uint64);
  if (synth.seed >> 32 != 0) refuse("--seed is out of range: 0 to 4294967295");
  synth.videos = raw.is_set("--videos");
  return synth;
}

DatasetOptions read_dataset(const ParsedCommand& parsed) {
  const RawOptions& raw = parsed.options;
  DatasetOptions dataset;
  dataset.folder = parsed.arguments.front();
  dataset.from = raw.texts("--from");
  if (dataset.from.empty())
    refuse("--from is missing", "it names a folder with videos and pictures");
  read(raw, "--frames", dataset.frames, clip_length);
  read(raw, "--size", dataset.size, clip_size);
  check_bytes("--size", dataset.size, dataset.frames);
  read(raw, "--fps", dataset.fps, rate);
  read(raw, "--least-motion", dataset.least_motion, parse_double);
  return dataset;
}

TrainOptions read_train(const RawOptions& raw) {
  TrainOptions train;
  const std::string* const config = raw.text("--config");
  if (config == nullptr) refuse("--config is missing", "configs/train has files to begin with");
  train.config = *config;
  train.resume = raw.is_set("--resume");
  read(raw, "--device", train.device);
  read(raw, "--threads", train.threads, positive);
  return train;
}

CommandLine help_line(std::string text) {
  CommandLine line;
  line.command = Command::help;
  line.help = std::move(text);
  return line;
}

using ReadCommand = std::function<void(const ParsedCommand&, CommandLine&)>;

/// What each command makes of its options, by the name in the table.
const std::map<std::string, std::pair<Command, ReadCommand>>& readers() {
  static const std::map<std::string, std::pair<Command, ReadCommand>> all = {
      {"",
       {Command::render,
        [](const ParsedCommand& parsed, CommandLine& line) {
          if (parsed.options.is_set("--version"))
            line.command = Command::version;
          else
            line.render = read_render(parsed.options);
        }}},
      {"replay",
       {Command::replay,
        [](const ParsedCommand& parsed, CommandLine& line) {
          line.replay = {parsed.arguments.front(), read_changes(parsed.options),
                         parsed.options.is_set("--dry-run")};
        }}},
      {"show",
       {Command::show, [](const ParsedCommand& parsed,
                          CommandLine& line) { line.show_file = parsed.arguments.front(); }}},
      {"decode",
       {Command::decode,
        [](const ParsedCommand& parsed, CommandLine& line) {
          line.decode = {parsed.arguments.front(), parsed.options,
                         parsed.options.is_set("--dry-run")};
        }}},
      {"inspect",
       {Command::inspect,
        [](const ParsedCommand& parsed, CommandLine& line) {
          line.inspect.path = parsed.arguments.front();
          read(parsed.options, "--models-dir", line.inspect.models_dir);
        }}},
      {"bench",
       {Command::bench, [](const ParsedCommand& parsed,
                           CommandLine& line) { line.bench = read_bench(parsed.options); }}},
      {"doctor",
       {Command::doctor,
        [](const ParsedCommand& parsed, CommandLine& line) {
          read(parsed.options, "--models-dir", line.doctor.models_dir);
        }}},
      {"gallery",
       {Command::gallery,
        [](const ParsedCommand& parsed, CommandLine& line) {
          line.gallery.folder = parsed.arguments.front();
          read(parsed.options, "--output", line.gallery.output);
          if (line.gallery.output == "-") refuse_standard_output("--output");
          line.gallery.overwrite = parsed.options.is_set("--overwrite");
          line.gallery.link = parsed.options.is_set("--link");
        }}},
      {"synth",
       {Command::synth,
        [](const ParsedCommand& parsed, CommandLine& line) { line.synth = read_synth(parsed); }}},
      {"dataset",
       {Command::dataset, [](const ParsedCommand& parsed,
                             CommandLine& line) { line.dataset = read_dataset(parsed); }}},
      {"train",
       {Command::train,
        [](const ParsedCommand& parsed, CommandLine& line) {
          line.train = read_train(with_environment(parsed.options));
        }}},
      {"completions",
       {Command::completions, [](const ParsedCommand& parsed,
                                 CommandLine& line) { line.shell = parsed.arguments.front(); }}},
      {"manual", {Command::manual, [](const ParsedCommand&, CommandLine&) {}}},
  };
  return all;
}

}  // namespace

Job read_job(const RawOptions& raw) {
  Job job;
  job.request = read_request(raw);
  job.encoding = read_encoding(raw);
  read(raw, "--image", job.image);
  read(raw, "--output", job.output);
  read(raw, "--model", job.model);
  read(raw, "--models-dir", job.models_dir);
  job.loras = read_loras(raw);
  read(raw, "--contact-sheet", job.contact_sheet);
  read(raw, "--preview", job.preview);
  job.max_pixels = 100'000'000;
  read(raw, "--max-pixels", job.max_pixels, parse_pixels);
  job.allow_network = raw.is_set("--allow-network");
  job.overwrite = raw.is_set("--overwrite");
  job.metadata = !raw.is_set("--no-metadata");
  if (!job.metadata && job.encoding.sidecar)
    refuse("--sidecar and --no-metadata exclude each other");
  job.output_is_derived = job.output.empty();
  for (const char* name : {"--save-latents", "--contact-sheet", "--preview"})
    if (const std::string* const path = raw.text(name); path != nullptr && *path == "-")
      refuse_standard_output(name);
  job.given = raw;
  return job;
}

CommandLine parse_command_line(const std::vector<std::string>& arguments) {
  const ParsedCommand parsed = parse_command(arguments);
  if (parsed.wants_short_help) return help_line(short_help());
  if (parsed.wants_help) return help_line(help_of(*parsed.row));
  const auto& [command, reader] = readers().at(parsed.row->name);
  CommandLine line;
  line.command = command;
  line.messages = read_messages(parsed.options);
  reader(parsed, line);
  for (const RawOptions* const options : {&line.replay.changes, &line.decode.changes})
    if (const std::string* const output = options->text("--output"))
      refuse_two_on_standard_output(*output, line.messages.json);
  return line;
}

void refuse_two_on_standard_output(const std::string& output, bool json) {
  if (json && output == "-") refuse("--output - and --json both write to standard output");
}

bool wants_json(const std::vector<std::string>& arguments) {
  const auto end = std::find(arguments.begin(), arguments.end(), "--");
  return std::find(arguments.begin(), end, "--json") != end;
}

}  // namespace svd::cli
