#include "cli/option_table.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>

namespace svd::cli {

namespace {
constexpr const char* kFiles = "Input and output";
constexpr const char* kClip =
    "The clip (all of these change pixels, --fps through its conditioning)";
constexpr const char* kCompute = "How it is computed";
constexpr const char* kMeasuring = "What is measured";
constexpr const char* kMessages = "Messages";
constexpr const char* kHidden = "";  // not in the help

bool one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}
}  // namespace

const std::vector<OptionRow>& render_options() {
  static const std::vector<OptionRow> rows = {
      {kFiles, "-i,--image", "FILE", nullptr,
       "picture to animate; - reads standard input.\n"
       "PNG, JPEG, WebP, TIFF, BMP, PNM or GIF (its first frame)"},
      {kFiles, "-o,--output", "PATH", nullptr,
       "x.mp4, a folder for PNG frames (frames/) or a pattern\n"
       "(f_%04d.png); default: NAME.mp4 of --image NAME.png in\n"
       "the current folder, video.mp4 for standard input"},
      {kFiles, "--overwrite", nullptr, nullptr, "replace existing output"},
      {kFiles, "-m,--model", "NAME_OR_PATH", nullptr,
       "svd, svd-xt, svd-xt-1.1, tiny, a diffusers folder or a\n"
       ".safetensors file; default: svd for 14 frames or fewer,\n"
       "else svd-xt"},
      {kFiles, "--models-dir", "DIR", nullptr, "folder to search for models first"},
      {kFiles, "--save-latents", "FILE", nullptr,
       "also write the sampled latents, float32 [F,4,h,w]"},
      {kFiles, "--init-latents", "FILE", nullptr,
       "start from this unit-variance noise [F,4,h,w]\n(changes pixels)"},
      {kFiles, "-n,--dry-run", nullptr, nullptr, "check everything, print the plan, write nothing"},

      {kClip, "--frames", "N", "14 or 25, by model", "frames to make, 1 to 1000"},
      {kClip, "--fps", "RATE", "7", "playback rate, frames a second, decimals allowed"},
      {kClip, "--condition-fps", "N", "--fps within 3 to 30, less 1", "rate that the model sees"},
      {kClip, "--size", "WxH", "by model, 1024x576 for SVD",
       "pixels, multiples of 64; turned for a portrait"},
      {kClip, "--fit", "crop|pad|stretch", "crop", "how the picture is brought to that size"},
      {kClip, "--seed", "N", "random below 2^32", "the same seed gives the same clip"},
      {kClip, "--steps", "N", "by model and profile, 25 or 30 for SVD",
       "denoising steps, 1 to 1000"},
      {kClip, "--motion-bucket-id", "X", "127", "amount of motion; trained on 1 to 255"},
      {kClip, "--noise-aug-strength", "X", "0.02",
       "noise on the picture: more lets the clip leave it further"},
      {kClip, "--min-guidance", "X", "by model and profile", "guidance scale of the first frame"},
      {kClip, "--max-guidance", "X", "by model and profile", "guidance scale of the last frame"},
      {kClip, "--profile", "reference|diffusers", "reference",
       "whose published implementation the pixels follow"},
      {kClip, "--decode-chunk", "N", "14 (reference), all (diffusers)",
       "frames that the decoder sees at once"},

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

      {kMessages, "--json", nullptr, nullptr,
       "one JSON object on standard output: output, request,\n"
       "seed, timings, warnings, error"},
      {kMessages, "-q,--quiet", nullptr, nullptr, "errors only, and the seed if it was drawn"},
      {kMessages, "-v,--verbose", nullptr, nullptr, "more detail: device, model path, backtraces"},
      {kMessages, "--version", nullptr, nullptr, "versions of svd-gen and its libraries"},
      {kMessages, "-h", nullptr, nullptr, "short help"},
      {kMessages, "--help", nullptr, nullptr, "this help"},
      {kHidden, "--force-tty", nullptr, nullptr, "draw the progress bar wherever stderr goes"},
  };
  return rows;
}

const std::vector<OptionRow>& inspect_options() {
  static const std::vector<OptionRow> rows = {
      {kFiles, "--models-dir", "DIR", nullptr, "folder to search for models first"},
      {kMessages, "--json", nullptr, nullptr, "one JSON object on standard output"},
      {kMessages, "-q,--quiet", nullptr, nullptr, "errors only"},
      {kMessages, "-v,--verbose", nullptr, nullptr, "more detail"},
      {kMessages, "-h,--help", nullptr, nullptr, "this help"},
  };
  return rows;
}

const std::vector<OptionRow>& bench_options() {
  static const std::vector<OptionRow> rows = [] {
    std::vector<OptionRow> own;
    for (OptionRow row : render_options()) {
      const std::string_view name = row.names;
      if (row.group == kMessages || one_of(name, {"-o,--output", "--overwrite", "-n,--dry-run"}))
        continue;
      if (name == "-i,--image") {
        row.default_value = "a picture that is drawn";
        row.description = "picture to animate; - reads standard input";
      }
      if (name == "--steps") row.default_value = "4";
      if (name == "--seed") row.default_value = "0";
      own.push_back(row);
    }
    own.insert(
        own.end(),
        {{kMeasuring, "--warmup-steps", "N", "1", "so many of the first steps are not counted"},
         {kMeasuring, "--profile-ops", nullptr, nullptr,
          "also a table of torch's operators in the counted steps,\n"
          "beside what a large convolution reaches (slows steps)"},
         {kMeasuring, "--without", "NAME,...", nullptr,
          "leave out exact savings, to see what each is worth;\n"
          "an unknown name lists them"},
         {kMessages, "--json", nullptr, nullptr, "one JSON object on standard output"},
         {kMessages, "-q,--quiet", nullptr, nullptr, "errors and results only"},
         {kMessages, "-v,--verbose", nullptr, nullptr, "more detail"},
         {kMessages, "-h,--help", nullptr, nullptr, "this help"}});
    return own;
  }();
  return rows;
}

}  // namespace svd::cli
