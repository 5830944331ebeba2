#include "cli/option_table.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>

namespace svd::cli {

namespace {
constexpr const char* kInput = "Picture and model";
constexpr const char* kOutput = "Output";
constexpr const char* kClip =
    "The clip (all of these change pixels, --fps through its conditioning)";
constexpr const char* kFile = "How the file is made";
constexpr const char* kCompute = "How it is computed";
constexpr const char* kBatch = "Many clips";
constexpr const char* kSettings = "Settings";
constexpr const char* kMeasuring = "What is measured";
constexpr const char* kMessages = "Messages";
constexpr const char* kDrawn = "Clips";
constexpr const char* kTraining = "Training";
constexpr const char* kHidden = "";  // not in the help

bool one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Rows of rendering under these names, for other commands.
std::vector<OptionRow> borrowed(std::initializer_list<std::string_view> names) {
  std::vector<OptionRow> rows;
  for (const OptionRow& row : render_options())
    if (one_of(row.names, names)) rows.push_back(row);
  return rows;
}

const OptionRow kHelp = {kMessages, "-h,--help", nullptr, nullptr, "this help", Scope::run};

std::vector<OptionRow> joined(std::vector<OptionRow> rows, std::initializer_list<OptionRow> more) {
  rows.insert(rows.end(), more);
  rows.push_back(kHelp);
  return rows;
}
}  // namespace

const std::vector<OptionRow>& render_options() {
  static const std::vector<OptionRow> rows = {
      {kInput, "-i,--image", "FILE", nullptr,
       "picture to animate; - reads standard input, clip.mp4@12.5s\n"
       "takes a frame of a video. PNG, JPEG, WebP, TIFF, BMP, PNM\n"
       "or GIF. Several --image make several clips",
       Scope::clip, true},
      {kInput, "--allow-network", nullptr, nullptr, "take http and https addresses for --image"},
      {kInput, "--max-pixels", "N", "100000000", "refuse larger pictures unread"},
      {kInput, "-m,--model", "NAME_OR_PATH", nullptr,
       "svd, svd-xt, svd-xt-1.1, tiny, a diffusers folder or a\n"
       ".safetensors file; default: svd for 14 frames or fewer,\n"
       "else svd-xt"},
      {kInput, "--models-dir", "DIR", nullptr, "folder to search for models first"},
      {kInput, "--lora", "NAME[:S],...", nullptr,
       "change the UNet by a LoRA: a file, or a name from the\n"
       "model's folder loras, with a strength from -100 to 100, as\n"
       "zoom:0.8 (changes pixels). Several --lora add up",
       Scope::clip, true},
      {kInput, "--init-latents", "FILE", nullptr,
       "start from this unit-variance noise [F,4,h,w]\n(changes pixels)"},

      {kOutput, "-o,--output", "PATH", nullptr,
       "x.mp4, .mov, .mkv, .webm, .gif, .webp or .y4m, a folder for\n"
       "PNG frames (frames/), a pattern (f_%04d.png, .jpg, .tiff)\n"
       "or - for standard output; default: NAME.mp4 of --image\n"
       "NAME.png in the current folder. {stem}, {seed} and {index}\n"
       "stand for the picture's name, the seed and the clip's number"},
      {kOutput, "--overwrite", nullptr, nullptr, "replace existing output"},
      {kOutput, "--save-latents", "FILE", nullptr,
       "also write the sampled latents, float32 [F,4,h,w]"},
      {kOutput, "--contact-sheet", "FILE", nullptr, "also write all frames on one PNG or JPEG"},
      {kOutput, "--preview", "FILE", nullptr,
       "rewrite this small animated WebP after every step with what\n"
       "the clip looks like so far; it stays when a run is stopped"},
      {kOutput, "--sidecar", nullptr, nullptr,
       "write the request to NAME.json too, as is always done for\n"
       "formats that cannot hold it"},
      {kOutput, "--no-metadata", nullptr, nullptr, "leave the request out of the file: no replay"},

      {kClip, "--frames", "N", "14 or 25, by model", "frames to make, 1 to 1000"},
      {kClip, "--fps", "RATE", "7", "playback rate, frames a second, decimals allowed"},
      {kClip, "--condition-fps", "N", "--fps within 3 to 30, less 1", "rate that the model sees"},
      {kClip, "--size", "WxH", "by model, 1024x576 for SVD",
       "pixels, multiples of 64; the default and a preset's are turned\nfor a portrait"},
      {kClip, "--fit", "crop|pad|stretch", "crop", "how the picture is brought to that size"},
      {kClip, "--seed", "N", "random below 2^32",
       "the same seed gives the same clip; of several clips without\n"
       "seeds, each has its number as seed"},
      {kClip, "--steps", "N", "by model and profile, 25 or 30 for SVD",
       "denoising steps, 1 to 1000"},
      {kClip, "--motion-bucket-id", "X", "by model, 127 for SVD",
       "amount of motion; trained on 1 to 255"},
      {kClip, "--noise-aug-strength", "X", "0.02",
       "noise on the picture: more lets the clip leave it further"},
      {kClip, "--min-guidance", "X", "by model and profile", "guidance scale of the first frame"},
      {kClip, "--max-guidance", "X", "by model and profile", "guidance scale of the last frame"},
      {kClip, "--profile", "reference|diffusers", "reference",
       "whose published implementation the pixels follow"},
      {kClip, "--decode-chunk", "N", "14 (reference), all (diffusers)",
       "frames that the decoder sees at once"},

      {kFile, "--format", "NAME", "by the name of --output",
       "mp4, mov, mkv, webm, gif, webp, y4m, png, jpg or tiff"},
      {kFile, "--codec", "NAME", "h264, vp9 for webm",
       "h264, h265, av1, vp9, prores (mov) or ffv1 (mkv, lossless);\n"
       "h264_nvenc and hevc_nvenc use a card that can"},
      {kFile, "--crf", "N", "by codec, 17 for h264",
       "quality of a video: less is better and larger"},
      {kFile, "--quality", "N", "95 for jpg, 90 for webp", "of JPEG and WebP, 1 to 100"},
      {kFile, "--pixel-format", "NAME", "yuv420p", "FFmpeg's name, as the codec takes it"},
      {kFile, "--bit-depth", "8|10|16", "8",
       "bits a channel, made from the network's own precision:\n"
       "10 for video, 16 for png, tiff and ffv1"},
      {kFile, "--loop", "forward|bounce", "forward", "bounce: the frames run back at the end"},
      {kFile, "--interpolate", "N", "1",
       "N times the frame rate by motion compensation (lossy: the\n"
       "frames in between are guessed): (frames - 1) * N + 1 frames"},

      {kCompute, "--device", "auto|cpu|cuda[:N]", "auto", "where to compute; rounding differs"},
      {kCompute, "--dtype", "auto|float32|bfloat16|float16", "auto",
       "number format of the networks: the lower ones take half\n"
       "the memory (changes pixels slightly)"},
      {kCompute, "--vae-dtype", "auto|float32|bfloat16|float16", "float32",
       "number format of the decoder (changes pixels slightly)"},
      {kCompute, "--memory", "SIZE", "what is free",
       "keep to so much memory (8G, 1500M): slower, the same\n"
       "pixels (on a GPU, of whose memory this is, rounding may\n"
       "differ); refused if nothing fits"},
      {kCompute, "--threads", "N", "the cores it may use", "CPU threads (rounding may differ)"},

      {kBatch, "--image-dir", "DIR_OR_GLOB", nullptr,
       "every picture of a folder, or of a pattern ('in/*.jpg')", Scope::run},
      {kBatch, "--batch", "FILE", nullptr,
       "JSON lines, one clip a line with any option above as key:\n"
       "{\"image\": \"a.png\", \"seed\": 1}; options of the command line\n"
       "hold where a line says nothing",
       Scope::run},
      {kBatch, "--seeds", "LIST", nullptr, "every clip with each of these seeds: 1..8 or 3,5,9",
       Scope::run},
      {kBatch, "--repeat", "N", "1", "every clip N times, with seeds counted up", Scope::run},
      {kBatch, "--results", "FILE", "results.jsonl beside --batch",
       "append a JSON line for every clip that is finished", Scope::run},
      {kBatch, "--resume", nullptr, nullptr,
       "leave out what was finished before, as results and files\n"
       "show, and remove what was left half-done",
       Scope::run},
      {kBatch, "--skip-existing", nullptr, nullptr, "leave out clips whose output exists",
       Scope::run},
      {kBatch, "--shard", "I/N", nullptr,
       "of the list only every N-th clip, from the I-th on\n(I from 0 to N-1)", Scope::run},

      {kSettings, "--preset", "NAME", nullptr, "draft, standard, quality or low-memory",
       Scope::run},
      {kSettings, "--config", "FILE", nullptr,
       "JSON object with any option of a clip as key; it holds\nwhere the command line says "
       "nothing",
       Scope::run},
      {kSettings, "--print-config", nullptr, nullptr,
       "print all values and where each comes from, as JSON", Scope::run},
      {kSettings, "-n,--dry-run", nullptr, nullptr,
       "check everything, print the plan, write nothing", Scope::run},

      {kMessages, "--json", nullptr, nullptr,
       "one JSON object on standard output: output, request,\n"
       "seed, timings, warnings, error",
       Scope::run},
      {kMessages, "--progress", "auto|bar|plain|json|none", "auto",
       "bar on a terminal, else plain lines; json: one event a line\n"
       "(configs/schemas/progress.json)",
       Scope::run},
      {kMessages, "--color", "auto|always|never", "auto", "colours in messages", Scope::run},
      {kMessages, "-q,--quiet", nullptr, nullptr, "errors only, and the seed if it was drawn",
       Scope::run},
      {kMessages, "-v,--verbose", nullptr, nullptr, "more detail: device, model path, backtraces",
       Scope::run},
      {kMessages, "--version", nullptr, nullptr, "versions of svd-gen and its libraries",
       Scope::run},
      {kMessages, "-h", nullptr, nullptr, "short help", Scope::run},
      {kMessages, "--help", nullptr, nullptr, "this help", Scope::run},
      {kHidden, "--force-tty", nullptr, nullptr, "draw the progress bar wherever stderr goes",
       Scope::run},
  };
  return rows;
}

namespace {

const std::vector<OptionRow>& inspect_options() {
  static const std::vector<OptionRow> rows =
      joined(borrowed({"--models-dir", "--json", "-q,--quiet", "-v,--verbose"}), {});
  return rows;
}

const std::vector<OptionRow>& show_options() {
  static const std::vector<OptionRow> rows = joined(borrowed({"--json", "-q,--quiet"}), {});
  return rows;
}

const std::vector<OptionRow>& doctor_options() {
  static const std::vector<OptionRow> rows =
      joined(borrowed({"--models-dir", "--json", "-q,--quiet", "-v,--verbose"}), {});
  return rows;
}

const std::vector<OptionRow>& plain_options() {
  static const std::vector<OptionRow> rows = joined({}, {});
  return rows;
}

const std::vector<OptionRow>& gallery_options() {
  static const std::vector<OptionRow> rows = [] {
    std::vector<OptionRow> own = borrowed({"-o,--output", "--overwrite"});
    own.front().default_value = "DIR/index.html";
    own.front().description = "the page";
    own.push_back({kOutput, "--link", nullptr, nullptr,
                   "refer to the videos instead of embedding them", Scope::run});
    for (const OptionRow& row : borrowed({"-q,--quiet", "-v,--verbose"})) own.push_back(row);
    return joined(own, {});
  }();
  return rows;
}

const std::vector<OptionRow>& replay_options() {
  static const std::vector<OptionRow> rows = [] {
    std::vector<OptionRow> own = borrowed(
        {"-i,--image",      "--allow-network", "--max-pixels", "-m,--model",    "--models-dir",
         "--lora",          "--init-latents",  "-o,--output",  "--overwrite",   "--save-latents",
         "--contact-sheet", "--preview",       "--sidecar",    "--no-metadata", "--device",
         "--memory",        "--threads",       "-n,--dry-run", "--json",        "--progress",
         "--color",         "-q,--quiet",      "-v,--verbose"});
    for (OptionRow& row : own) {
      if (std::string_view(row.names) == "-i,--image") {
        row.description = "the picture, if it is neither beside FILE nor here";
        row.repeated = false;
      }
      if (std::string_view(row.names) == "-m,--model")
        row.description = "the model, if its name does not find it";
      if (std::string_view(row.names) == "--init-latents")
        row.description = "the noise, if it is neither beside FILE nor here";
      if (std::string_view(row.names) == "-o,--output") {
        row.default_value = "NAME-replay.EXTENSION here";
        row.description = "the new file";
      }
    }
    own.insert(own.begin(), {kSettings, "--set", "KEY=VALUE", nullptr,
                             "change one option of the request: --set steps=30", Scope::run, true});
    return joined(own, {});
  }();
  return rows;
}

const std::vector<OptionRow>& decode_options() {
  static const std::vector<OptionRow> rows = [] {
    std::vector<OptionRow> own = borrowed(
        {"-m,--model",      "--models-dir", "--lora",        "-o,--output",   "--overwrite",
         "--contact-sheet", "--sidecar",    "--no-metadata", "--fps",         "--profile",
         "--decode-chunk",  "--format",     "--codec",       "--crf",         "--quality",
         "--pixel-format",  "--bit-depth",  "--loop",        "--interpolate", "--device",
         "--vae-dtype",     "--memory",     "--threads",     "-n,--dry-run",  "--json",
         "--progress",      "--color",      "-q,--quiet",    "-v,--verbose"});
    for (OptionRow& row : own) {
      if (std::string_view(row.names) == "-o,--output") {
        row.default_value = "NAME.mp4 here";
        row.description = "as for rendering";
      }
      if (one_of(row.names, {"-m,--model", "--fps", "--profile", "--decode-chunk"}))
        row.default_value = "as the latents were made";
    }
    return joined(own, {});
  }();
  return rows;
}

const std::vector<OptionRow>& bench_options() {
  static const std::vector<OptionRow> rows = [] {
    std::vector<OptionRow> own;
    for (OptionRow row : render_options()) {
      const std::string_view name = row.names;
      const bool is_used = one_of(row.group, {kInput, kClip, kCompute}) || name == "--save-latents";
      if (!is_used) continue;
      if (name == "-i,--image") {
        row.default_value = "a picture that is drawn";
        row.description = "picture to animate; - reads standard input";
        row.repeated = false;
      }
      if (name == "--steps") row.default_value = "4";
      if (name == "--seed") row.default_value = "0";
      own.push_back(row);
    }
    own.insert(
        own.end(),
        {{kMeasuring, "--warmup-steps", "N", "1", "so many of the first steps are not counted",
          Scope::run},
         {kMeasuring, "--profile-ops", nullptr, nullptr,
          "also a table of torch's operators in the counted steps,\n"
          "beside what a large convolution reaches (slows steps)",
          Scope::run},
         {kMeasuring, "--without", "NAME,...", nullptr,
          "leave out exact savings, to see what each is worth;\n"
          "an unknown name lists them",
          Scope::run},
         {kMessages, "--json", nullptr, nullptr, "one JSON object on standard output", Scope::run},
         {kMessages, "-q,--quiet", nullptr, nullptr, "errors and results only", Scope::run},
         {kMessages, "-v,--verbose", nullptr, nullptr, "more detail", Scope::run}});
    return joined(own, {});
  }();
  return rows;
}

const std::vector<OptionRow>& synth_options() {
  static const std::vector<OptionRow> rows = joined(
      {{kDrawn, "--clips", "N", "100", "how many", Scope::run},
       {kDrawn, "--frames", "N", "14", "of each", Scope::run},
       {kDrawn, "--sizes", "WxH,...", "128x128", "taken in turn", Scope::run},
       {kDrawn, "--motions", "NAME,...", "drawn",
        "taken in turn: pan_left, zoom_in, still, orbit, ...; an\nunknown name lists them",
        Scope::run},
       {kDrawn, "--fps", "RATE", "drawn, 3 to 30", "frames a second", Scope::run},
       {kDrawn, "--seed", "N", "0", "the same seed draws the same clips, below 2^32", Scope::run},
       {kDrawn, "--videos", nullptr, nullptr,
        "MP4 files and annotations.jsonl instead of a dataset", Scope::run}},
      {{kMessages, "-q,--quiet", nullptr, nullptr, "errors only", Scope::run}});
  return rows;
}

const std::vector<OptionRow>& dataset_options() {
  static const std::vector<OptionRow> rows = joined(
      {{kDrawn, "--from", "DIR", nullptr,
        "folder with videos and pictures, at any depth;\nseveral --from add up", Scope::run, true},
       {kDrawn, "--frames", "N", "14", "of each clip; 1 for pictures", Scope::run},
       {kDrawn, "--size", "WxH", "128x128", "each frame is cropped to it", Scope::run},
       {kDrawn, "--fps", "RATE", "that of each file",
        "frames a second, by leaving frames out;\nslower files keep their own", Scope::run},
       {kDrawn, "--least-motion", "X", "0",
        "leave out clips with a lower motion score: pixels in half\n"
        "a second where the short side has 16",
        Scope::run}},
      {{kMessages, "-q,--quiet", nullptr, nullptr, "errors only", Scope::run}});
  return rows;
}

const std::vector<OptionRow>& train_options() {
  static const std::vector<OptionRow> rows =
      joined({{kTraining, "--config", "FILE", nullptr, "what to train on what, and how; required",
               Scope::run},
              {kTraining, "--resume", nullptr, nullptr,
               "go on from the checkpoint in the output folder", Scope::run},
              {kTraining, "--device", "auto|cpu|cuda[:N]", "auto",
               "where to train; rounding differs", Scope::run},
              {kTraining, "--threads", "N", "the cores it may use", "CPU threads", Scope::run}},
             {{kMessages, "-q,--quiet", nullptr, nullptr, "errors only", Scope::run}});
  return rows;
}

}  // namespace

const std::vector<CommandRow>& commands() {
  static const std::vector<CommandRow> rows = {
      {"", "", 0, 0, "animate a picture with Stable Video Diffusion", "", &render_options},
      {"replay", "FILE", 1, 1, "render again what made a file",
       "Reads the request that svd-gen left in FILE (or beside it) and renders it again, byte for\n"
       "byte on the same kind of machine. Picture, LoRA and noise are looked for by their names "
       "beside\n"
       "FILE and in the current folder, and have to be what was used then.\n",
       &replay_options},
      {"show", "FILE", 1, 1, "print the request that made a file",
       "Prints as JSON what svd-gen left in a video, a frame or the sidecar beside it.\n",
       &show_options},
      {"decode", "LATENTS", 1, 1, "make a clip of saved latents",
       "Decodes a file written by --save-latents again, with other settings and without "
       "sampling.\n",
       &decode_options},
      {"inspect", "NAME_OR_PATH", 1, 1, "what is in a model",
       "Layout, variant, number formats, tensors and parameters of a model, and every key that is\n"
       "missing, unexpected or of a wrong shape (exit code 4 if there is one).\n",
       &inspect_options},
      {"bench", "", 0, 0, "how long a clip takes here",
       "Renders a clip, keeps no file, and says what took how long and how much memory: each "
       "stage,\n"
       "each sampling step, and from the start of the process to the first step and to the "
       "finished\n"
       "file.\n",
       &bench_options},
      {"doctor", "", 0, 0, "what svd-gen finds on this machine",
       "Devices, libraries, encoders, models and free memory, and what would run by default.\n",
       &doctor_options},
      {"gallery", "DIR", 1, 1, "one page with the clips of a folder",
       "Writes a page that works without a server: the clips below DIR with their settings, to be\n"
       "sorted by any of them.\n",
       &gallery_options},
      {"synth", "DIR", 1, 1, "draw clips with known motion, to train on",
       "Draws procedural clips into a dataset: textured and lit things before a background, moved "
       "by\n"
       "themselves or by the camera, at 3 to 30 frames a second.\n",
       &synth_options},
      {"dataset", "DIR", 1, 1, "cut videos into clips to train on",
       "Cuts the videos below a folder into clips, measures how each moves by dense optical flow, "
       "and\n"
       "writes a dataset that train reads.\n",
       &dataset_options},
      {"train", "", 0, 0, "train the networks",
       "Trains a model's VAE or UNet as the file of --config says (configs/train has some), and\n"
       "writes a diffusers folder.\n"
       "The first Ctrl-C saves a checkpoint.\n",
       &train_options},
      {"help", "[COMMAND]", 0, 1, "the help of a command", "", &plain_options},
      {"completions", "bash|zsh|fish", 1, 1, "a completion script for a shell", "", &plain_options},
      {"manual", "", 0, 0, "the manual page, in roff", "", &plain_options},
  };
  return rows;
}

const CommandRow& command_row(const std::string& name) {
  const auto found = std::find_if(commands().begin(), commands().end(),
                                  [&](const CommandRow& row) { return name == row.name; });
  return found == commands().end() ? commands().front() : *found;
}

}  // namespace svd::cli
