#include "cli/clip_paths.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "media/formats.h"
#include "media/frame_writer.h"
#include "media/input_name.h"
#include "media/output_name.h"
#include "media/sidecar.h"
#include "svd/error.h"
#include "weights/lora.h"

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

/// Whether writing `output` (a file, a folder that is replaced as a whole, or numbered files)
/// would take `path` away.
bool would_replace(const std::string& output, const fs::path& path) {
  if (lies_in(path.string(), output)) return true;
  const auto numbered = media::parse_numbered_name(fs::path(output).filename().string());
  return numbered && numbered->matches(path.filename().string()) &&
         resolved(path).parent_path() == resolved(media::parent_folder(output));
}

}  // namespace

bool lies_in(const std::string& path, const std::string& folder) {
  const fs::path inner = resolved(path);
  const fs::path outer = resolved(folder);
  return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

bool output_exists(const std::string& output) {
  std::error_code code;
  const fs::path path = output;
  if (const auto numbered = media::parse_numbered_name(path.filename().string()))
    return fs::exists(media::parent_folder(path) / numbered->file(0), code);
  if (!path.has_filename()) return fs::exists(path, code) && !fs::is_empty(path, code);
  // An empty file is what a full disk or a power cut leaves.
  return fs::exists(path, code) && !(fs::is_regular_file(path, code) && fs::is_empty(path, code));
}

std::string behind_links(const std::string& output) {
  const fs::path path = output;
  std::error_code code;
  if (path.has_filename() || !fs::is_symlink(path.parent_path(), code)) return output;
  const fs::path folder = fs::canonical(path.parent_path(), code);
  return code ? output : (folder / "").string();
}

namespace {

using NamedPath = std::pair<const char*, std::string>;

void add(std::vector<NamedPath>& paths, const char* flag, const std::optional<std::string>& path) {
  if (path && !path->empty() && *path != "-") paths.emplace_back(flag, *path);
}

/// Also where the output has no known format, which is told when the clip's turn comes.
std::optional<std::string> sidecar_if_known(const Job& job) {
  try {
    return sidecar_of(job);
  } catch (const Error&) {
    return std::nullopt;
  }
}

void add_outputs(std::vector<NamedPath>& outputs, const Job& job) {
  add(outputs, "--output", job.output);
  add(outputs, "--save-latents", job.request.save_latents);
  add(outputs, "--contact-sheet", job.contact_sheet);
  add(outputs, "--preview", job.preview);
  add(outputs, "the sidecar", sidecar_if_known(job));
}

/// Whether writing `output` would take `path` away. Only what --output names may be a folder or
/// numbered files.
bool takes_away(const NamedPath& output, const std::string& path) {
  return std::string_view(output.first) == "--output" ? would_replace(output.second, path)
                                                      : resolved(output.second) == resolved(path);
}

void check_init_latents(const std::string& file) {
  std::error_code ignored;
  if (fs::is_regular_file(file, ignored)) return;
  throw Error(ErrorKind::usage,
              fmt::format("--init-latents {}: {}", file,
                          fs::exists(file, ignored) ? "is not a file" : "there is no such file"));
}

/// The file of CLIP@TIME. What is wrong with the time is told when the picture is read.
std::string clip_of(const std::string& image) {
  try {
    return media::parse_input_name(image).path;
  } catch (const Error&) {
    return image;
  }
}

void add_inputs(std::vector<NamedPath>& inputs, const Job& job) {
  // A derived name that is the clip's own is there: it is refused as such, after the picture.
  const bool is_safe = job.output_is_derived && !job.overwrite;
  add(inputs, "--image", is_safe ? job.image : clip_of(job.image));
  add(inputs, "--init-latents", job.request.init_latents);
  add(inputs, "--model", job.model);
  for (const std::string& lora : job.loras) add(inputs, "--lora", weights::parse_lora(lora).name);
  for (const char* flag : {"--config", "--batch"})
    if (const std::string* const file = job.given.text(flag)) add(inputs, flag, *file);
}

}  // namespace

void check_results(const std::string& results, const std::optional<std::string>& batch,
                   const std::vector<Job>& jobs) {
  const fs::path name = fs::path(results).filename();
  const auto check = [&](const char* flag, const std::optional<std::string>& path) {
    if (path && fs::path(*path).filename() == name && resolved(*path) == resolved(results))
      throw Error(ErrorKind::usage, fmt::format("results would be written to {} {}", flag, *path),
                  "--results FILE names another file");
  };
  check("--batch", batch);
  for (const Job& job : jobs) {
    std::vector<NamedPath> paths;
    add_inputs(paths, job);
    add_outputs(paths, job);
    for (const auto& [flag, path] : paths) check(flag, path);
    if (job.output.ends_with('/') && lies_in(results, job.output))
      throw Error(ErrorKind::usage, "results would be written among the frames of " + job.output,
                  "--results FILE names another place");
  }
}

std::optional<std::string> sidecar_of(const Job& job) {
  if (!job.metadata || job.output == "-") return std::nullopt;
  const media::Format* const format =
      media::find_format(media::output_format(job.output, job.encoding));
  if (!job.encoding.sidecar && format->keeps_metadata) return std::nullopt;
  return media::sidecar_name(job.output).string();
}

void check_list(const std::vector<Job>& jobs) {
  std::map<std::string, const Job*> pictures;
  const auto replaces = [](const Job& job) { return job.overwrite; };  // or what is there stays
  if (jobs.size() < 2 || std::none_of(jobs.begin(), jobs.end(), replaces)) return;
  for (const Job& job : jobs)
    if (job.image != "-") pictures.emplace(resolved(clip_of(job.image)).string(), &job);
  for (const Job& job : jobs) {
    std::vector<NamedPath> outputs;
    add_outputs(outputs, job);
    for (const auto& [flag, path] : outputs) {
      const auto found = pictures.find(resolved(path).string());
      if (found != pictures.end() && found->second != &job)
        throw Error(ErrorKind::usage,
                    fmt::format("clip {}: {} {} would replace the picture of clip {}", job.index,
                                flag, path, found->second->index));
    }
  }
}

void check_paths(const Job& job) {
  std::vector<NamedPath> outputs, inputs;
  add_outputs(outputs, job);
  add_inputs(inputs, job);
  for (const NamedPath& output : outputs) {
    for (const NamedPath& input : inputs) {
      if (takes_away(output, input.second))
        throw Error(ErrorKind::usage,
                    fmt::format("{} {} would be overwritten by {} {}", input.first, input.second,
                                output.first, output.second));
    }
    for (const NamedPath& other : outputs) {
      if (&other != &output && takes_away(output, other.second))
        throw Error(ErrorKind::usage,
                    fmt::format("{} {} would be overwritten by {} {}", other.first, other.second,
                                output.first, output.second));
    }
  }
  if (job.request.init_latents) check_init_latents(*job.request.init_latents);
}

}  // namespace svd::cli
