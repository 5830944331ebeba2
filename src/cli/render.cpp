#include "cli/render.h"

#include <nlohmann/json.hpp>

#include "svd/error.h"

#ifdef SVD_HAVE_MEDIA
#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/atomic_file.h"
#include "cli/clip_paths.h"
#include "cli/clip_record.h"
#include "cli/clip_renderer.h"
#include "cli/jobs.h"
#include "cli/results.h"
#include "media/formats.h"
#include "media/frame_writer.h"
#include "media/input_file.h"
#include "media/input_name.h"
#include "media/output_name.h"
#include "media/sha256.h"
#include "svd/generator.h"
#include "svd/latents.h"
#include "weights/lora.h"

namespace svd::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// Where the lines about finished clips go; empty: nowhere.
std::optional<std::string> results_path(const RenderOptions& options) {
  if (options.results) return options.results;
  if (!options.batch) return std::nullopt;
  return (fs::path(*options.batch).parent_path() / "results.jsonl").string();
}

/// Names a clip in results, whatever machine it is worked on.
std::string job_key(const Job& job) {
  Json json = {{"image", job.image}, {"output", job.output}, {"seed", *job.request.seed}};
  for (const OptionRow& row : render_options()) {
    const std::string name = long_name(row);
    const bool of_machine =
        name == "--threads" || name == "--device" || name == "--memory" || name == "--overwrite";
    const std::vector<std::string> texts = job.given.texts(name);
    if (row.scope != Scope::clip || of_machine || texts.empty() || json.contains(json_key(name)))
      continue;
    if (texts.size() == 1)
      json[json_key(name)] = texts.front();
    else
      json[json_key(name)] = texts;
  }
  return hash_of(one_line(json)).substr(0, 16);
}

Json results_line(const Report& report, const std::string& key) {
  Json line = {{"job", key}, {"index", report.index}};
  line.update(to_json(report));
  line.erase("memory");
  return line;
}

/// What killed runs left where these clips are written.
void remove_leftovers(const std::vector<Job>& jobs, Console& console) {
  std::set<std::string> folders;
  for (const Job& job : jobs) {
    for (const auto& path :
         {std::optional(job.output), job.request.save_latents, job.contact_sheet, job.preview})
      if (path) folders.insert(media::parent_folder(*path).string());
  }
  int removed = 0;
  for (const std::string& folder : folders) removed += remove_abandoned(folder);
  if (removed > 0) console.info(fmt::format("removed {} half-written files", removed));
}

/// Begins to listen for signals when it is called.
std::function<std::stop_token()> stop_on(SignalWatcher& signals, Console& console) {
  return [&signals, &console] {
    return signals.begin([&console] { console.info("stopping ... (again to force)"); });
  };
}

/// Works through a list.
class Batch {
 public:
  Batch(const RenderOptions& options, const MessageOptions& messages, Console& console,
        SignalWatcher& signals, Outcome& outcome)
      : options_(options),
        messages_(messages),
        console_(console),
        signals_(signals),
        outcome_(outcome),
        jobs_(list_jobs(options)) {
    const auto results = results_path(options);
    check_list(jobs_);
    if (results) check_results(*results, options.batch, jobs_);
    for (const Job& job : jobs_) refuse_two_on_standard_output(job.output, messages.json);
    if (options.resume) {
      if (results) finished_ = Results::finished(*results);
      if (!options.dry_run) remove_leftovers(jobs_, console);
    }
    if (results && !options.dry_run) results_.emplace(*results);
  }

  void run();

 private:
  bool is_finished(const Job& job, const std::string& key) const;
  void run_one(ClipRenderer& renderer, const Job& job);
  void note(const Report& report, const std::string& key);
  void summarise() const;

  const RenderOptions& options_;
  const MessageOptions& messages_;
  Console& console_;
  SignalWatcher& signals_;
  Outcome& outcome_;
  std::vector<Job> jobs_;
  std::map<std::string, std::string> finished_;  ///< request ids by the keys of clips
  std::optional<Results> results_;
};

void Batch::run() {
  const bool alone = jobs_.size() == 1;
  outcome_.is_list = !alone || options_.batch || options_.image_dir || options_.shard.count > 1;
  const Existing existing = options_.resume          ? Existing::adopt
                            : options_.skip_existing ? Existing::skip
                                                     : Existing::refuse;
  ClipRenderer renderer(console_, {existing, options_.dry_run, !alone},
                        stop_on(signals_, console_));
  for (const Job& job : jobs_) {
    if (!alone)
      console_.info(
          fmt::format("clip {} of {}: {}", &job - jobs_.data() + 1, jobs_.size(), job.output));
    run_one(renderer, job);
    const auto& failure = outcome_.reports.back().failure;
    if (failure && failure->kind == ErrorKind::interrupted) break;
  }
  if (outcome_.is_list) summarise();
}

/// Whether the results say so, and the file is what they speak of, if it can tell.
bool Batch::is_finished(const Job& job, const std::string& key) const {
  const auto found = finished_.find(key);
  if (found == finished_.end() || !output_exists(job.output)) return false;
  return !job.metadata || request_id_of(job.output) == found->second;
}

void Batch::run_one(ClipRenderer& renderer, const Job& job) {
  const std::string key = job_key(job);
  Report& report = outcome_.reports.emplace_back();
  report.index = job.index;
  report.image = job.image;
  report.output = job.output;
  if (is_finished(job, key)) {
    report.skipped = true;
    console_.info(job.output + " was finished before");
    return;
  }
  try {
    renderer.render(job, report);
  } catch (...) {
    report.failure =
        describe_failure(std::current_exception(), messages_.verbose, signals_.received());
    if (!outcome_.failure) outcome_.failure = report.failure;
    console_.clear_status();
    console_.error(report.failure->message, report.failure->hint);
  }
  if (outcome_.is_list)
    console_.event({{"event", "clip_end"},
                    {"clip", job.index},
                    {"output", job.output},
                    {"status", status_of(report)}});
  note(report, key);
}

void Batch::note(const Report& report, const std::string& key) {
  const bool interrupted = report.failure && report.failure->kind == ErrorKind::interrupted;
  if (!results_ || report.skipped || interrupted) return;
  results_->append(results_line(report, key));
}

void Batch::summarise() const {
  int done = 0, adopted = 0, skipped = 0, failed = 0;
  for (const Report& report : outcome_.reports) {
    if (report.failure)
      ++failed;
    else if (report.adopted)
      ++adopted;
    else if (report.skipped)
      ++skipped;
    else
      ++done;
  }
  std::string line = fmt::format("{} of {} clips {}", done, jobs_.size(),
                                 options_.dry_run ? "planned" : "rendered");
  if (adopted + skipped > 0) line += fmt::format(", {} there before", adopted + skipped);
  if (failed > 0) line += fmt::format(", {} failed:", failed);
  console_.info(line);
  for (const Report& report : outcome_.reports) {
    if (report.failure)
      console_.info(fmt::format("  {}: {} ({})", report.output, report.failure->message,
                                report.failure->exit_code));
  }
}

/// The file of `name` beside `file` or in the current folder whose content has this hash.
std::optional<std::string> find_by_hash(const std::string& file, const std::string& name,
                                        const std::string& sha256) {
  for (const fs::path& place : {fs::path(file).parent_path() / name, fs::path(name)}) {
    std::error_code code;
    if (!fs::is_regular_file(place, code)) continue;
    if (media::sha256_of(media::InputFile(place.string())) == sha256) return place.string();
  }
  return std::nullopt;
}

/// Of a name CLIP@TIME where the time begins, at the @; npos: it names none.
std::size_t time_in(const std::string& name) {
  const std::size_t at = name.rfind('@');
  const bool is_time = at != std::string::npos && at > 0 && media::parse_time(name.substr(at + 1));
  return is_time ? at : std::string::npos;
}

/// As --image wants it.
std::optional<std::string> find_picture(const std::string& file, const ClipSource& source) {
  const std::string& name = source.image_name;
  if (auto found = find_by_hash(file, name, source.image_sha256)) return found;
  const std::size_t at = time_in(name);
  if (at == std::string::npos) return std::nullopt;
  const auto clip = find_by_hash(file, name.substr(0, at), source.image_sha256);
  return clip ? std::optional(*clip + name.substr(at)) : std::nullopt;
}

/// A picture that was named instead, at the recorded time of its clip: the hash is the clip's.
std::string at_recorded_time(const std::string& given, const ClipSource& source) {
  const std::size_t at = time_in(source.image_name);
  if (at == std::string::npos || fs::path(given).filename() == source.image_name) return given;
  const std::string time = source.image_name.substr(at + 1);
  const media::InputName name = media::parse_input_name(given);
  if (!name.time) return given + "@" + time;
  if (*name.time != *media::parse_time(time))
    throw Error(ErrorKind::image,
                fmt::format("--image {} is not the one that was used: that is at {}", given, time),
                "without a time it is taken there");
  return given;
}

/// A name beside the old one's, in the current folder; `format` is what it shall be.
std::string replay_output(const std::string& file, const std::string& format) {
  std::error_code code;
  fs::path name = fs::path(file);
  if (!name.has_filename()) name = name.parent_path();
  const media::Format& wanted = *media::find_format(format);
  if (wanted.container == media::Container::pictures && fs::is_directory(name, code))
    return fmt::format("{}-replay/", name.filename().string());
  std::string stem = name.stem().string();
  if (const auto numbered = media::parse_numbered_name(stem)) stem = numbered->prefix;
  const std::string number = wanted.container == media::Container::pictures ? "_%05d" : "";
  return fmt::format("{}-replay{}{}", stem, number, wanted.extensions.front());
}

/// The LoRAs of a record; files that are beside `file`, and not here, by their path.
std::vector<std::string> found_beside(const std::string& file, std::vector<std::string> loras) {
  for (std::string& lora : loras) {
    std::error_code code;
    const std::string name = weights::parse_lora(lora).name;
    const fs::path beside = fs::path(file).parent_path() / name;
    if (!fs::exists(name, code) && fs::is_regular_file(beside, code))
      lora = beside.string() + lora.substr(name.size());
  }
  return loras;
}

/// What a record says about its file, as far as another file can have it.
void keep_encoding(RawOptions& made, const RawOptions& changes, bool same_format) {
  const auto forget = [&](std::initializer_list<const char*> names) {
    for (const char* name : names) made.erase(name);
  };
  if (!same_format)
    forget({"--format", "--codec", "--pixel-format", "--bit-depth", "--crf", "--quality"});
  if (changes.has("--codec")) forget({"--pixel-format", "--crf", "--quality"});
  if (changes.has("--bit-depth")) forget({"--pixel-format"});
}

}  // namespace

void render(const RenderOptions& options, const MessageOptions& messages, Console& console,
            SignalWatcher& signals, Outcome& outcome) {
  Batch(options, messages, console, signals, outcome).run();
}

void replay(const ReplayOptions& options, Console& console, SignalWatcher& signals,
            Outcome& outcome) {
  ReadRecord record = read_record(show(options.file), options.file);
  const std::string* const old_format = record.options.text("--format");
  EncodingOptions asked;
  if (const std::string* const format = options.changes.text("--format")) asked.format = *format;
  const std::string* const output = options.changes.text("--output");
  const std::string format = output || asked.format || !old_format
                                 ? media::output_format(output ? *output : "any.mp4", asked)
                                 : *old_format;
  keep_encoding(record.options, options.changes, old_format && format == *old_format);
  record.options.erase("--format");  // the name says it
  RawOptions raw = options.changes.over(record.options);
  if (!output) raw.set("--output", {{replay_output(options.file, format)}, "replay"});
  if (!raw.has("--model")) raw.set("--model", {{record.source.model_name}, options.file});
  if (!raw.has("--lora") && !record.source.loras.empty())
    raw.set("--lora", {found_beside(options.file, record.source.loras), options.file});
  if (!raw.has("--image")) {
    const auto found = find_picture(options.file, record.source);
    if (!found)
      throw Error(ErrorKind::image,
                  fmt::format("the picture {} (SHA-256 {}) is neither beside {} nor here",
                              printable(record.source.image_name), record.source.image_sha256,
                              options.file),
                  "--image FILE names it");
    raw.set("--image", {{*found}, options.file});
  } else {
    raw.set("--image", {{at_recorded_time(*raw.text("--image"), record.source)}, "command line"});
  }
  std::string noise = record.source.init_latents_sha256;
  if (const auto found = raw.values().find("--init-latents"); found != raw.values().end()) {
    const RawOptions::Value value = found->second;
    if (value.origin == kSetOrigin)
      noise.clear();  // another one is wanted
    else if (noise.empty() && record.options.has("--init-latents"))
      throw Error(ErrorKind::image,
                  options.file + ": does not tell the SHA-256 of its initial latents",
                  "--set init_latents=FILE takes a file as it is");
    if (!options.changes.has("--init-latents"))
      raw.set("--init-latents",
              {{find_by_hash(options.file, value.texts.back(), noise).value_or(value.texts.back())},
               value.origin});
  }
  Job job = alone(read_job(raw));
  job.shown_image = record.source.image_name;
  if (!noise.empty()) job.shown_init_latents = record.source.init_latents_name;
  ClipRenderer(console, {Existing::refuse, options.dry_run, false}, stop_on(signals, console))
      .render(job, outcome.reports.emplace_back(),
              {record.source.image_sha256, record.source.model_id, noise});
}

void decode(const DecodeOptions& options, Console& console, SignalWatcher& signals,
            Outcome& outcome) {
  const LatentsInfo latents = read_latents_info(options.latents);
  RawOptions raw = options.changes;
  Expected expected;
  if (const auto made = parse_record(latents.metadata)) {
    ReadRecord record = read_record(*made, options.latents);
    keep_encoding(record.options, options.changes, false);
    record.options.erase("--init-latents");
    raw = raw.over(record.options);
    if (!raw.has("--model")) raw.set("--model", {{record.source.model_name}, options.latents});
    if (!raw.has("--lora") && !record.source.loras.empty())
      raw.set("--lora", {found_beside(options.latents, record.source.loras), options.latents});
    if (!options.changes.has("--model") && !options.changes.has("--lora"))
      expected.model_id = record.source.model_id;
  }
  raw.set("--image", {{options.latents}, options.latents});
  const Job job = alone(read_job(raw));
  ClipRenderer(console, {Existing::refuse, options.dry_run, false}, stop_on(signals, console))
      .decode(job, outcome.reports.emplace_back(), expected);
}

Json show(const std::string& file) {
  if (auto record = find_record(file)) return std::move(*record);
  throw Error(ErrorKind::image, file + ": holds no request of svd-gen, and none lies beside it",
              "only files written without --no-metadata do");
}

}  // namespace svd::cli

#else

namespace svd::cli {
namespace {

[[noreturn]] void refuse() {
  throw Error(ErrorKind::usage, "this build of svd-gen reads and writes no pictures",
              "build it with -DSVD_MEDIA=ON; bench, inspect and --version work here");
}

}  // namespace

void render(const RenderOptions&, const MessageOptions&, Console&, SignalWatcher&, Outcome&) {
  refuse();
}
void replay(const ReplayOptions&, Console&, SignalWatcher&, Outcome&) { refuse(); }
void decode(const DecodeOptions&, Console&, SignalWatcher&, Outcome&) { refuse(); }
nlohmann::ordered_json show(const std::string&) { refuse(); }

}  // namespace svd::cli

#endif
