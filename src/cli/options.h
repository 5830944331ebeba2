#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/job.h"
#include "cli/raw_options.h"
#include "svd/request.h"

namespace svd::cli {

enum class ProgressMode { automatic, bar, plain, json, none };
enum class ColorMode { automatic, always, never };

/// What every command takes.
struct MessageOptions {
  bool json = false;
  bool quiet = false;
  bool verbose = false;
  bool force_tty = false;
  ProgressMode progress = ProgressMode::automatic;
  ColorMode color = ColorMode::automatic;
};

/// Every `count`-th clip of a list, from the `index`-th on.
struct Shard {
  int index = 0;
  int count = 1;
};

/// `svd-gen --image ...`: one clip or a list of them.
struct RenderOptions {
  /// Options of a clip: command line, environment, --config and --preset laid over each other.
  RawOptions raw;
  Job job;  ///< what `raw` says
  std::vector<std::string> images;
  std::optional<std::string> image_dir;
  std::optional<std::string> batch;
  std::optional<std::string> results;
  std::vector<std::uint64_t> seeds;
  int repeat = 1;
  bool resume = false;
  bool skip_existing = false;
  Shard shard;
  bool dry_run = false;
  bool print_config = false;
};

/// Where an option of RawOptions comes from that --set gave.
inline constexpr const char* kSetOrigin = "--set";

/// `svd-gen replay FILE`
struct ReplayOptions {
  std::string file;
  RawOptions changes;  ///< of the command line, --set among them
  bool dry_run = false;
};

/// `svd-gen decode LATENTS`
struct DecodeOptions {
  std::string latents;
  RawOptions changes;
  bool dry_run = false;
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
  std::vector<std::string> loras;
  std::optional<int> warmup_steps;
  bool profile_operations = false;
  std::vector<std::string> without;  ///< savings to switch off (nn/savings.h)
  RequestOptions request;
};

/// `svd-gen doctor`
struct DoctorOptions {
  std::optional<std::string> models_dir;
};

/// `svd-gen gallery DIR`
struct GalleryOptions {
  std::string folder;
  std::optional<std::string> output;
  bool overwrite = false;
  bool link = false;
};

/// `svd-gen synth DIR`
struct SynthCommandOptions {
  std::string folder;
  int clips = 100;
  int frames = 14;
  std::vector<std::pair<int, int>> sizes = {{128, 128}};
  std::vector<std::string> motions;  ///< empty: drawn for each clip
  std::optional<double> fps;
  std::uint64_t seed = 0;
  bool videos = false;
};

/// `svd-gen dataset DIR`
struct DatasetOptions {
  std::string folder;
  std::vector<std::string> from;
  int frames = 14;
  std::pair<int, int> size = {128, 128};
  std::optional<double> fps;  ///< unset: that of each file
  double least_motion = 0;
};

/// `svd-gen train`
struct TrainOptions {
  std::string config;
  std::string device = "auto";
  bool resume = false;
  std::optional<int> threads;
};

enum class Command {
  render,
  replay,
  show,
  decode,
  inspect,
  bench,
  doctor,
  gallery,
  synth,
  dataset,
  train,
  completions,
  manual,
  version,
  help
};

/// A parsed command line. No file but those of --config and --preset was looked at, and no range
/// (svd::validate).
struct CommandLine {
  Command command = Command::render;
  std::string help;  ///< the text that was asked for, for Command::help
  MessageOptions messages;
  RenderOptions render;
  ReplayOptions replay;
  DecodeOptions decode;
  InspectOptions inspect;
  BenchOptions bench;
  DoctorOptions doctor;
  GalleryOptions gallery;
  SynthCommandOptions synth;
  DatasetOptions dataset;
  TrainOptions train;
  std::string show_file;
  std::string shell;  ///< of `completions`
};

/// Reads the arguments (without the program's name). Throws Error{usage}, with a suggestion for
/// names that look mistyped. Of an option given twice the last value counts, unless it may be given
/// several times.
CommandLine parse_command_line(const std::vector<std::string>& arguments);

/// Throws Error{usage} for a clip on standard output beside JSON.
void refuse_two_on_standard_output(const std::string& output, bool json);

/// Reads the values of one clip. Its output may still hold placeholders. Throws Error{usage}.
Job read_job(const RawOptions& raw);

/// Whether the arguments ask for JSON; for reporting arguments that do not parse.
bool wants_json(const std::vector<std::string>& arguments);

}  // namespace svd::cli
