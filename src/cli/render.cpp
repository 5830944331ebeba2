#include "cli/render.h"

#include "svd/error.h"

#ifdef SVD_HAVE_MEDIA
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "cli/progress.h"
#include "media/fit.h"
#include "media/frame_writer.h"
#include "media/image_reader.h"
#include "media/output_name.h"
#include "pipeline/device.h"
#include "svd/generator.h"

namespace svd::cli {
namespace {

namespace fs = std::filesystem;

/// As it will be on disk, links resolved as far as they can be.
fs::path resolved(const fs::path& path) {
  std::error_code failed;
  // weakly_canonical alone leaves a relative path relative when none of it exists.
  fs::path result = fs::weakly_canonical(fs::absolute(path), failed);
  if (failed) result = fs::absolute(path).lexically_normal();
  return result.has_filename() ? result : result.parent_path();  // "frames/"
}

/// Whether `path` lies in `folder` or is it.
bool lies_in(const fs::path& path, const fs::path& folder) {
  const fs::path inner = resolved(path);
  const fs::path outer = resolved(folder);
  return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

/// Whether writing `output` (a file, a folder that is replaced as a whole, or numbered files)
/// would take `path` away.
bool would_replace(const std::string& output, const fs::path& path) {
  if (lies_in(path, output)) return true;
  const auto numbered = media::parse_numbered_name(fs::path(output).filename().string());
  return numbered && numbered->matches(path.filename().string()) &&
         resolved(path).parent_path() == resolved(media::parent_folder(output));
}

void check_paths(const RenderOptions& options) {
  const std::string& output = options.output;
  if (options.image != "-" && would_replace(output, options.image))
    throw Error(ErrorKind::usage, fmt::format("--image {} would be overwritten by --output {}",
                                              options.image, output));
  for (const auto& [flag, file] : {std::pair("--save-latents", options.request.save_latents),
                                   std::pair("--init-latents", options.request.init_latents)}) {
    if (file && would_replace(output, *file))
      throw Error(ErrorKind::usage,
                  fmt::format("{} {} would be overwritten by --output {}", flag, *file, output));
  }
  const auto& save = options.request.save_latents;
  const auto& init = options.request.init_latents;
  for (const auto& [flag, file] :
       {std::pair("--image", std::optional(options.image)), std::pair("--init-latents", init),
        std::pair("--model", options.model)}) {
    if (save && file && resolved(*save) == resolved(*file))
      throw Error(ErrorKind::usage,
                  fmt::format("--save-latents {} would overwrite {}", *save, flag));
  }
  std::error_code ignored;
  if (init && !fs::is_regular_file(*init, ignored))
    throw Error(
        ErrorKind::usage,
        fmt::format("--init-latents {}: {}", *init,
                    fs::exists(*init, ignored) ? "is not a file" : "there is no such file"));
}

void check_usage(const RenderOptions& options) {
  validate(options.request);
  if (options.image == "-" && isatty(STDIN_FILENO))
    throw Error(ErrorKind::usage, "--image - reads standard input, which is a terminal",
                "svd-gen --image - < cat.png");
  media::output_format(options.output);
  check_paths(options);
}

void check_outputs(const RenderOptions& options) {
  media::check_output(options.output, options.overwrite);
  if (options.request.save_latents)
    media::check_output_file(*options.request.save_latents, options.overwrite);
}

Image read_picture(const RenderOptions& options, Console& console) {
  console.info(fmt::format("picture: {}", options.image == "-" ? "standard input" : options.image));
  return media::read_image(options.image);
}

Generator open_model(const RenderOptions& options, Console& console, Report& report) {
  ModelOptions model;
  model.model = options.model;
  if (options.models_dir) model.models_dir = *options.models_dir;
  model.frames = options.request.frames;
  Generator generator(model);
  report.model = generator.model().name;
  report.model_path = generator.model().path.string();
  console.info("model: " + *report.model);
  console.debug("model path: " + *report.model_path);
  if (!generator.model().notice.empty()) {
    report.warnings.push_back(generator.model().notice);
    console.warning(generator.model().notice);
  }
  return generator;
}

Request resolve(const Generator& generator, const RenderOptions& options, const Image& picture,
                Console& console, Report& report) {
  std::vector<std::string> warnings;
  Request request = generator.resolve(options.request, picture.width, picture.height, &warnings);
  const auto& save = options.request.save_latents;
  if (save && lies_in(*save, generator.model().path))
    throw Error(ErrorKind::usage, fmt::format("--save-latents {} lies in the model {}", *save,
                                              generator.model().path.string()));
  for (const std::string& warning : warnings) console.warning(warning);
  report.warnings.insert(report.warnings.end(), warnings.begin(), warnings.end());
  report.request = request;
  const c10::Device device(request.device);
  console.debug("device: " + pipeline::describe(device));
  if (console.options().verbose && device.is_cuda())
    console.debug("attention: " +
                  pipeline::attention_backend(device, pipeline::scalar_type(request.dtype)));
  console.debug("request: " + to_json(request));
  return request;
}

/// A link to a folder stands for the folder.
std::string behind_links(const std::string& output) {
  const fs::path path = output;
  std::error_code code;
  if (path.has_filename() || !fs::is_symlink(path.parent_path(), code)) return output;
  const fs::path folder = fs::canonical(path.parent_path(), code);
  return code ? output : (folder / "").string();
}

// Numbered frames are replaced one by one, so those of a longer clip outlive a shorter one.
void warn_about_later_frames(const RenderOptions& options, const Request& request, Console& console,
                             Report& report) {
  const fs::path output = options.output;
  const auto numbered = media::parse_numbered_name(output.filename().string());
  if (!numbered) return;
  const fs::path next = media::parent_folder(output) / numbered->file(request.frames);
  std::error_code code;
  if (!fs::exists(next, code)) return;
  report.warnings.push_back(next.string() + " and what follows are of another clip");
  console.warning(report.warnings.back());
}

media::OutputOptions output_options(const RenderOptions& options, const Request& request) {
  media::OutputOptions output;
  output.path = options.output;
  output.width = request.width;
  output.height = request.height;
  output.fps = request.fps;
  output.frames = request.frames;
  output.overwrite = options.overwrite;
  return output;
}

}  // namespace

void render(const RenderOptions& given, Console& console, SignalWatcher& signals, Report& report) {
  RenderOptions options = given;
  options.output = behind_links(given.output);
  report.image = options.image;
  report.output = given.output;
  report.dry_run = options.dry_run;
  check_usage(options);
  // What is wrong with a derived name may be the picture's fault.
  Image picture;
  if (options.output_is_derived) picture = read_picture(options, console);
  check_outputs(options);
  if (!options.output_is_derived) picture = read_picture(options, console);
  report.image_width = picture.width;
  report.image_height = picture.height;
  Generator generator = open_model(options, console, report);
  const Request request = resolve(generator, options, picture, console, report);
  report.memory = generator.plan(request);
  if (options.dry_run) {
    for (const std::string& line : plan_lines(report)) console.info(line);
    return;
  }
  if (console.options().quiet && !options.request.seed)
    console.always(fmt::format("seed {}", request.seed));  // or the clip could not be made again
  console.info(clip_line(request));
  if (const std::string choices = describe_choices(*report.memory); !choices.empty())
    console.info(fmt::format("memory: {}, to stay within {}", choices,
                             format_bytes(report.memory->limit_bytes)));
  const InputImages images = media::fit_image(picture, request.width, request.height, request.fit);
  picture = {};

  const std::stop_token stop =
      signals.begin([&console] { console.info("stopping ... (again to force)"); });
  Progress progress(console);
  const std::unique_ptr<FrameSink> sink = media::open_output(output_options(options, request));
  report.result = generator.run(request, images, *sink, progress, stop);
  warn_about_later_frames(options, request, console, report);
  console.info(summary_line(report));
}

}  // namespace svd::cli

#else

namespace svd::cli {

void render(const RenderOptions&, Console&, SignalWatcher&, Report&) {
  throw Error(ErrorKind::usage, "this build of svd-gen reads and writes no pictures",
              "build it with -DSVD_MEDIA=ON; bench, inspect and --version work here");
}

}  // namespace svd::cli

#endif
