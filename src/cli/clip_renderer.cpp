#include "cli/clip_renderer.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "cli/clip_paths.h"
#include "cli/clip_sinks.h"
#include "cli/preview.h"
#include "media/fit.h"
#include "media/formats.h"
#include "media/frame_writer.h"
#include "media/input_file.h"
#include "media/output_name.h"
#include "media/picture.h"
#include "media/resolve_encoding.h"
#include "media/sha256.h"
#include "media/sidecar.h"
#include "pipeline/device.h"
#include "svd/error.h"
#include "svd/latents.h"

namespace svd::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kLatentCell = 8;  // pixels a side, for latents that do not say how they were made

media::OutputOptions output_options(const Job& job, const Request& request) {
  media::OutputOptions output;
  output.path = job.output;
  output.width = request.width;
  output.height = request.height;
  output.fps = request.fps;
  output.frames = request.frames;
  output.overwrite = job.overwrite;
  output.encoding = job.encoding;
  if (job.contact_sheet) output.contact_sheet = *job.contact_sheet;
  return output;
}

/// Where a clip of any size would go.
media::OutputOptions planned_output(const Job& job, bool overwrite) {
  Request any;
  any.width = any.height = 64;
  any.frames = 2;
  any.fps = job.request.fps.value_or(7);
  media::OutputOptions output = output_options(job, any);
  output.overwrite = overwrite;
  if (job.metadata) output.metadata = "{}";  // there will be some
  return output;
}

std::string base_name(const std::string& path) {
  const fs::path named = path;
  return (named.has_filename() ? named : named.parent_path()).filename().string();
}

void check_hash(const std::string& what, const std::string& name, const std::string& found,
                const std::string& expected, ErrorKind kind, const std::string& hint) {
  if (expected.empty() || found == expected) return;
  throw Error(kind,
              fmt::format("{} {} is not the one that was used: its {} is {}, not {}", what, name,
                          kind == ErrorKind::model ? "id" : "SHA-256", found, expected),
              hint);
}

/// Whether a sidecar tells of a clip of the output's name. Of numbered frames nobody knows:
/// f_%d.jpg and f-%d.jpg share one.
bool is_sidecar_of(const fs::path& sidecar, const Job& job) {
  const std::string name = fs::path(job.output).filename().string();
  return !media::parse_numbered_name(name) &&
         format_in_sidecar(sidecar) == media::output_format(job.output, job.encoding);
}

/// The sidecar of the clip that is there, where the one which replaces it leaves none.
std::optional<fs::path> stale_sidecar(const Job& job) {
  if (!job.overwrite || job.output == "-" || sidecar_of(job) || !output_exists(job.output))
    return std::nullopt;
  const fs::path sidecar = media::sidecar_name(job.output);
  const std::string format = media::output_format(job.output, job.encoding);
  const bool is_its = media::format_of_name(job.output) == media::find_format(format) &&
                      is_sidecar_of(sidecar, job);
  return is_its ? std::optional(sidecar) : std::nullopt;
}

/// Refuses a sidecar that would replace the one of another format's clip.
void check_sidecar(const std::string& sidecar, const Job& job) {
  const std::string told = format_in_sidecar(sidecar);
  const media::Format* const format = media::find_format(told);
  if (format == nullptr || told == media::output_format(job.output, job.encoding)) return;
  std::error_code code;
  for (const std::string_view extension : format->extensions) {
    const fs::path clip = fs::path(job.output).replace_extension(extension);
    if (fs::exists(clip, code))
      throw Error(ErrorKind::output,
                  fmt::format("{} tells how {} was made", sidecar, clip.string()),
                  "another name for the new clip, or --no-metadata, keeps it");
  }
}

/// Whether --resume or --skip-existing may replace the latents that are there: ours, of a run that
/// was stopped.
bool are_our_latents(const std::string& file, bool with_metadata) {
  try {
    const LatentsInfo info = read_latents_info(file);
    return !with_metadata || parse_record(info.metadata).has_value();
  } catch (const Error&) {
    return false;
  }
}

// Numbered frames are replaced one by one, so those of a longer clip outlive a shorter one.
void warn_about_later_frames(const Job& job, int frames, Console& console, Report& report) {
  const fs::path output = job.output;
  const auto numbered = media::parse_numbered_name(output.filename().string());
  if (!numbered) return;
  const fs::path next = media::parent_folder(output) / numbered->file(frames);
  std::error_code code;
  if (!fs::exists(next, code)) return;
  report.warnings.push_back(next.string() + " and what follows are of another clip");
  console.warning(report.warnings.back());
}

}  // namespace

/// What is known of the clip at hand.
struct ClipRenderer::Clip {
  const Job& job;
  Report& report;
  const Expected& expected;
  media::Picture picture = {};
  ClipSource source = {};
  RequestOptions options = {};
  Request request = {};
  media::Encoding encoding = {};
  bool may_adopt = false;  ///< the output is there
  bool from_latents = false;
};

ClipRenderer::ClipRenderer(Console& console, const ClipRendererOptions& options,
                           std::function<std::stop_token()> begin)
    : console_(console), options_(options), begin_(std::move(begin)), progress_(console) {}

std::stop_token ClipRenderer::stop() {
  if (!stop_) stop_ = begin_();
  return *stop_;
}

void ClipRenderer::check_usage(const Job& job) const {
  validate(job.request);
  if (job.image == "-" && isatty(STDIN_FILENO))
    throw Error(ErrorKind::usage, "--image - reads standard input, which is a terminal",
                "svd-gen --image - < cat.png");
  if (job.output == "-" && isatty(STDOUT_FILENO))
    throw Error(ErrorKind::usage, "--output - writes a video to standard output, a terminal",
                "svd-gen ... -o - | ffplay -");
  media::resolve_encoding(planned_output(job, job.overwrite));
  check_paths(job);
}

/// Looks at the output. True: the clip needs no work.
bool ClipRenderer::is_left_out(Clip& clip) const {
  const Job& job = clip.job;
  const bool there = job.output != "-" && output_exists(job.output);
  if (there && options_.existing == Existing::skip) {
    clip.report.skipped = true;
    console_.info(job.output + " exists: left out");
    return true;
  }
  clip.may_adopt = there && options_.existing == Existing::adopt;
  if (const auto sidecar = sidecar_of(job)) {
    check_sidecar(*sidecar, job);
    // What a run left that was killed between the sidecar's name and the clip's.
    std::error_code code;
    const bool is_begun = options_.existing != Existing::refuse && !options_.dry_run;
    if (is_begun && !there && is_sidecar_of(*sidecar, job)) fs::remove(*sidecar, code);
  }
  // What may be adopted is looked at again, once it is known what it would have to be.
  media::check_output(planned_output(job, job.overwrite || clip.may_adopt));
  const bool is_begun = options_.existing != Existing::refuse;
  if (const auto& latents = job.request.save_latents)
    media::check_output_file(
        *latents, job.overwrite || (is_begun && are_our_latents(*latents, job.metadata)));
  if (job.preview)
    media::check_output_file(*job.preview, job.overwrite || previews_.contains(*job.preview) ||
                                               (is_begun && may_be_preview(*job.preview)));
  return false;
}

void ClipRenderer::read_image(Clip& clip) const {
  const Job& job = clip.job;
  console_.info(fmt::format("picture: {}", job.image == "-" ? "standard input" : job.image));
  clip.picture = media::read_picture(job.image, {job.max_pixels, job.allow_network});
  check_hash("--image", job.image, clip.picture.sha256, clip.expected.image_sha256,
             ErrorKind::image, "--image FILE names the right one");
  clip.source.image_name = job.shown_image.empty() ? clip.picture.name : job.shown_image;
  clip.source.image_sha256 = clip.report.image_sha256 = clip.picture.sha256;
  clip.report.image_width = clip.picture.image.width;
  clip.report.image_height = clip.picture.image.height;
}

void ClipRenderer::read_noise(Clip& clip) {
  const auto& file = clip.job.request.init_latents;
  if (!file) return;
  clip.source.init_latents_name = clip.job.shown_init_latents;
  clip.source.init_latents_sha256 = media::sha256_of(media::InputFile(*file));
  check_hash("--init-latents", *file, clip.source.init_latents_sha256,
             clip.expected.init_latents_sha256, ErrorKind::usage,
             "--init-latents FILE names the right one, --set init_latents=FILE another");
}

void ClipRenderer::open_model(Clip& clip) {
  const Job& job = clip.job;
  ModelOptions model{job.model, job.models_dir, clip.options.frames, job.loras};
  const bool is_short = clip.options.frames && *clip.options.frames <= 14;
  std::string wanted =
      job.model.value_or(is_short ? "?short" : "?long") + "\n" + job.models_dir.value_or("");
  for (const std::string& lora : job.loras) wanted += "\n" + lora;
  if (!generator_ || wanted != opened_) {
    generator_.reset();
    generator_ = std::make_unique<Generator>(model);
    generator_->set_keep_networks(options_.many);
    opened_ = wanted;
    const std::string& notice = generator_->model().notice;
    if (!notice.empty()) console_.warning(notice);
  }
  const ModelSummary& summary = generator_->model();
  clip.report.model = summary.name;
  clip.report.model_path = summary.path.string();
  if (!summary.notice.empty()) clip.report.warnings.push_back(summary.notice);
  console_.info("model: " + summary.name);
  console_.debug("model path: " + summary.path.string());
  clip.source.model_name = base_name(summary.name);
  clip.source.loras.clear();
  for (const std::string& lora : job.loras) {
    console_.info("LoRA: " + lora);
    clip.source.loras.push_back(base_name(lora));
  }
  clip.source.model_id = clip.report.model_id = generator_->model_id();
  check_hash("--model", summary.name, clip.source.model_id, clip.expected.model_id,
             ErrorKind::model,
             job.loras.empty() ? "--model NAME_OR_PATH names the right one"
                               : "--model names the right one, and --lora the LoRAs with their "
                                 "strengths, which are in the id too");
}

void ClipRenderer::resolve(Clip& clip) const {
  const Job& job = clip.job;
  std::vector<std::string> warnings;
  clip.request = generator_->resolve(clip.options, clip.report.image_width,
                                     clip.report.image_height, &warnings);
  const auto& save = job.request.save_latents;
  if (save && lies_in(*save, generator_->model().path.string()))
    throw Error(ErrorKind::usage, fmt::format("--save-latents {} lies in the model {}", *save,
                                              generator_->model().path.string()));
  clip.encoding = media::resolve_encoding(output_options(job, clip.request));
  warnings.insert(warnings.end(), clip.encoding.notices.begin(), clip.encoding.notices.end());
  for (const std::string& warning : warnings) console_.warning(warning);
  clip.report.warnings.insert(clip.report.warnings.end(), warnings.begin(), warnings.end());
  clip.report.request = clip.request;
  const c10::Device device(clip.request.device);
  console_.debug("device: " + pipeline::describe(device));
  if (console_.options().verbose && device.is_cuda())
    console_.debug("attention: " +
                   pipeline::attention_backend(device, pipeline::scalar_type(clip.request.dtype)));
  console_.debug("request: " + to_json(clip.request));
}

void ClipRenderer::identify(Clip& clip) const {
  const auto record = clip_record(clip.source, clip.request, clip.encoding, clip.job.encoding, {});
  clip.report.request_id = record["request_id"];
  if (clip.request.save_latents && clip.job.metadata)
    clip.request.latents_metadata = one_line(record);
}

bool ClipRenderer::is_adopted(const Clip& clip) const {
  if (!clip.may_adopt) return false;
  if (request_id_of(clip.job.output) == clip.report.request_id) {
    clip.report.adopted = true;
    console_.info(clip.job.output + " is finished already");
    return true;
  }
  media::check_output(planned_output(clip.job, clip.job.overwrite));
  return false;
}

bool ClipRenderer::is_planned_only(Clip& clip) const {
  clip.report.memory = generator_->plan(clip.request, clip.encoding.input_bit_depth());
  if (!options_.dry_run) return false;
  for (const std::string& line : plan_lines(clip.report)) console_.info(line);
  return true;
}

void ClipRenderer::announce(const Clip& clip) const {
  if (console_.options().quiet && clip.job.seed_is_drawn)
    console_.always(fmt::format("seed {}", clip.request.seed));  // or it could not be made again
  console_.info(clip_line(clip.request));
  if (clip.encoding.frames != clip.request.frames)
    console_.info(fmt::format("written as {} frames at {:.6g} fps = {:.2f} s", clip.encoding.frames,
                              clip.encoding.fps, clip.encoding.frames / clip.encoding.fps));
  const std::string choices = describe_choices(*clip.report.memory);
  if (!choices.empty())
    console_.info(fmt::format("memory: {}, to stay within {}", choices,
                              format_bytes(clip.report.memory->limit_bytes)));
}

/// A preset does not know how the picture lies.
void ClipRenderer::turn_preset_size(Clip& clip) {
  const auto size = clip.job.given.values().find("--size");
  if (size == clip.job.given.values().end() || !size->second.origin.starts_with("preset")) return;
  const bool portrait = clip.report.image_height > clip.report.image_width;
  if (portrait != (*clip.options.height > *clip.options.width))
    std::swap(clip.options.width, clip.options.height);
}

void ClipRenderer::run(Clip& clip) {
  const std::stop_token stop = this->stop();
  const Job& job = clip.job;
  const std::optional<fs::path> stale = stale_sidecar(job);
  if (job.preview) previews_.insert(*job.preview);
  PreviewingProgress progress(progress_, job.preview, clip.request);
  LateSink sink(clip.encoding.input_bit_depth(), [&] {
    media::OutputOptions output = output_options(job, clip.request);
    if (job.metadata)
      output.metadata = one_line(
          clip_record(clip.source, clip.request, clip.encoding, job.encoding, progress.retries()));
    return media::open_output(output);
  });
  progress_.begin_clip(job.index);
  if (clip.from_latents) {
    clip.report.result = generator_->decode(clip.request, job.image, sink, progress, stop);
  } else {
    const InputImages images = media::fit_image(clip.picture.image, clip.request.width,
                                                clip.request.height, clip.request.fit);
    clip.picture = {};
    clip.report.result = generator_->run(clip.request, images, sink, progress, stop);
  }
  std::error_code code;
  if (stale) fs::remove(*stale, code);
  warn_about_later_frames(job, clip.encoding.frames, console_, clip.report);
  console_.info(summary_line(clip.report));
}

void ClipRenderer::render(const Job& given, Report& report, const Expected& expected) {
  Job job = given;
  job.output = behind_links(given.output);
  report.index = job.index;
  report.image = job.image;
  report.output = given.output;
  report.dry_run = options_.dry_run;
  Clip clip{.job = job, .report = report, .expected = expected, .options = job.request};
  check_usage(job);
  // What is wrong with a derived name may be the picture's fault.
  if (job.output_is_derived) read_image(clip);
  if (is_left_out(clip)) return;
  if (!job.output_is_derived) read_image(clip);
  read_noise(clip);
  open_model(clip);
  turn_preset_size(clip);
  resolve(clip);
  identify(clip);
  if (is_adopted(clip) || is_planned_only(clip)) return;
  announce(clip);
  run(clip);
}

void ClipRenderer::decode(const Job& given, Report& report, const Expected& expected) {
  Job job = given;
  job.output = behind_links(given.output);
  report.image = job.image;
  report.output = given.output;
  report.dry_run = options_.dry_run;
  Clip clip{.job = job,
            .report = report,
            .expected = expected,
            .options = job.request,
            .from_latents = true};
  check_usage(job);
  const LatentsInfo latents = read_latents_info(job.image);
  if (const auto record = parse_record(latents.metadata))
    clip.source = read_record(*record, job.image).source;
  clip.source.init_latents_name.clear();  // decoding starts from no noise
  clip.source.init_latents_sha256.clear();
  clip.options.frames = latents.frames;
  if (!clip.options.width) {
    clip.options.width = latents.width * kLatentCell;
    clip.options.height = latents.height * kLatentCell;
  }
  if (is_left_out(clip)) return;
  open_model(clip);
  resolve(clip);
  identify(clip);
  if (is_planned_only(clip)) return;
  announce(clip);
  run(clip);
}

}  // namespace svd::cli
