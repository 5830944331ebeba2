#include "cli/jobs.h"

#include <fmt/core.h>
#include <glob.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <string_view>
#include <system_error>

#include "base/suggest.h"
#include "svd/error.h"

namespace svd::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostJobs = 1'000'000;
constexpr std::size_t kLongestLine = std::size_t{1} << 20;

[[noreturn]] void refuse(const std::string& message, const std::string& hint = {},
                         ErrorKind kind = ErrorKind::usage) {
  throw Error(kind, message, hint);
}

std::vector<std::string> matches_of(const std::string& pattern) {
  glob_t found{};
  const std::unique_ptr<glob_t, void (*)(glob_t*)> owner(&found, &globfree);
  const int code = glob(pattern.c_str(), 0, nullptr, &found);
  if (code != 0 && code != GLOB_NOMATCH)
    refuse(fmt::format("--image-dir {} cannot be read", pattern), {}, ErrorKind::image);
  return {found.gl_pathv, found.gl_pathv + found.gl_pathc};
}

std::vector<std::string> entries_of(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code code;
  for (auto entry = fs::directory_iterator(folder, code);
       !code && entry != fs::directory_iterator(); entry.increment(code))
    names.push_back(entry->path().string());
  if (code) refuse(fmt::format("--image-dir {}: {}", folder, code.message()), {}, ErrorKind::image);
  return names;
}

std::vector<std::string> pictures_in(const std::string& place) {
  std::error_code code;
  const bool is_folder = fs::is_directory(place, code);
  if (!is_folder && place.find_first_of("*?[") == std::string::npos)
    refuse(fmt::format("--image-dir {}: there is no such folder", place), {}, ErrorKind::image);
  std::vector<std::string> names = is_folder ? entries_of(place) : matches_of(place);
  std::erase_if(names, [](const std::string& name) {
    std::error_code gone;
    return !is_picture_name(fs::path(name).filename().string()) ||
           !fs::is_regular_file(name, gone);  // a pipe would be waited for
  });
  std::sort(names.begin(), names.end());
  if (names.empty())
    refuse(fmt::format("--image-dir {} holds no picture", place), {}, ErrorKind::image);
  return names;
}

/// The lines of a batch as clips; `common` holds where a line says nothing.
std::vector<Job> lines_of(const std::string& path, const RawOptions& common) {
  std::ifstream file(path);
  std::error_code code;
  if (!file || fs::is_directory(path, code))
    refuse(fmt::format("--batch {}: {}", path,
                       fs::exists(path, code) ? "cannot be read" : "there is no such file"));
  std::vector<Job> jobs;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.size() > kLongestLine || jobs.size() == kMostJobs)
      refuse(fmt::format("{}:{}: too long", path, number));
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string place = fmt::format("{}:{}", path, number);
    try {
      const Json json = parse_json(line, place, ErrorKind::usage);
      const RawOptions raw = read_json_options(json, place, place).over(common);
      if (!raw.has("--image")) refuse(fmt::format("{}: 'image' is missing", place));
      jobs.push_back(read_job(raw));
      validate(jobs.back().request);
    } catch (const Error& error) {
      const std::string message = error.what();
      throw Error(error.kind(), message.starts_with(place) ? message : place + ": " + message,
                  error.hint());
    }
  }
  if (jobs.empty()) refuse(fmt::format("--batch {} holds no clip", path));
  return jobs;
}

std::vector<Job> sources_of(const RenderOptions& options) {
  RawOptions common = options.raw;
  if (options.batch) {
    common.erase("--image");
    return lines_of(*options.batch, common);
  }
  std::vector<std::string> images = options.images;
  if (options.image_dir) {
    const std::vector<std::string> more = pictures_in(*options.image_dir);
    images.insert(images.end(), more.begin(), more.end());
  }
  std::vector<Job> jobs;
  for (const std::string& image : images) {
    jobs.push_back(options.job);
    jobs.back().image = image;
    jobs.back().given.set("--image", {{image}, "command line"});
  }
  return jobs;
}

std::vector<Job> with_seeds(const std::vector<Job>& sources, const RenderOptions& options) {
  std::vector<Job> jobs;
  const auto add = [&](const Job& source, std::optional<std::uint64_t> seed) {
    if (jobs.size() == kMostJobs) refuse(fmt::format("more than {} clips", kMostJobs));
    jobs.push_back(source);
    Job& job = jobs.back();
    job.index = static_cast<int>(jobs.size()) - 1;
    job.request.seed = seed;
  };
  for (const Job& source : sources) {
    for (const std::uint64_t seed : options.seeds) add(source, seed);
    for (int i = 0; options.seeds.empty() && i < options.repeat; ++i) {
      auto seed = source.request.seed;
      if (seed && *seed > UINT64_MAX - static_cast<std::uint64_t>(i))
        refuse(fmt::format("--seed {} cannot be counted up {} times", *seed, options.repeat));
      if (seed) *seed += static_cast<std::uint64_t>(i);
      add(source, seed);
    }
  }
  const bool alone = jobs.size() == 1;
  for (Job& job : jobs) {
    if (job.request.seed) continue;
    job.seed_is_drawn = alone && !options.batch;
    job.request.seed = job.seed_is_drawn ? std::random_device{}() : std::uint64_t(job.index);
  }
  return jobs;
}

/// {name} or {name:0N}
std::string placeholder(const std::string& flag, const std::string& text, const Job& job) {
  const std::map<std::string, std::string> values = {
      {"stem", stem_of(job.image)},
      {"seed", std::to_string(job.request.seed.value_or(0))},
      {"index", std::to_string(job.index)}};
  const std::size_t colon = text.find(':');
  const auto found = values.find(text.substr(0, colon));
  if (found == values.end()) {
    std::string hint = did_you_mean(text.substr(0, colon), {"stem", "seed", "index"});
    if (hint.empty()) hint = "{stem}, {seed} and {index} are known; {{ is a brace";
    refuse(fmt::format("{}: {{{}}} is no placeholder", flag, text), hint);
  }
  std::string value = found->second;
  if (colon == std::string::npos) return value;
  const std::string width = text.substr(colon + 1);
  const bool is_width = width.size() == 2 && width[0] == '0' && std::isdigit(width[1]) != 0;
  if (!is_width || found->first == "stem")
    refuse(fmt::format("{}: {{{}}}: a width is 01 to 09, for a number", flag, text));
  const auto digits = static_cast<std::size_t>(width[1] - '0');
  if (value.size() < digits) value.insert(0, digits - value.size(), '0');
  return value;
}

void name_outputs(std::vector<Job>& jobs) {
  std::map<std::string, int> owners;
  const bool alone = jobs.size() == 1;
  for (Job& job : jobs) {
    if (job.output_is_derived)
      job.output = stem_of(job.image) +
                   (alone ? std::string() : fmt::format("_{}_{}", *job.request.seed, job.index)) +
                   ".mp4";
    else
      job.output = fill_template("--output", job.output, job);
    const auto fill = [&](const char* flag, std::optional<std::string>& path) {
      if (path) path = fill_template(flag, *path, job);
    };
    fill("--save-latents", job.request.save_latents);
    fill("--contact-sheet", job.contact_sheet);
    fill("--preview", job.preview);
    if (job.output == "-" && !alone) refuse("--output - takes one clip");
    for (const auto& path :
         {std::optional(job.output), job.request.save_latents, job.contact_sheet}) {
      if (!path) continue;
      const auto [other, is_new] = owners.emplace(*path, job.index);
      if (!is_new && other->second != job.index)
        refuse(fmt::format("clips {} and {} would both write {}", other->second, job.index, *path),
               "a name with {stem}, {seed} or {index} is another for each: "
               "-o '{stem}_{seed}_{index}.mp4'");
    }
  }
}

void check_standard_input(const std::vector<Job>& jobs) {
  const auto reads = [](const Job& job) { return job.image == "-"; };
  if (std::count_if(jobs.begin(), jobs.end(), reads) > 1)
    refuse("standard input can be read once: --image - makes one clip",
           "save the picture to a file first");
}

}  // namespace

Job alone(Job job) {
  job.seed_is_drawn = !job.request.seed;
  if (job.seed_is_drawn) job.request.seed = std::random_device{}();
  std::vector<Job> jobs = {std::move(job)};
  name_outputs(jobs);
  return jobs.front();
}

bool is_picture_name(const std::string& name) {
  constexpr std::array<std::string_view, 13> kExtensions = {
      ".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp",
      ".ppm", ".pgm", ".pbm",  ".pnm",  ".gif", ".jfif"};
  std::string extension = fs::path(name).extension().string();
  for (char& letter : extension)
    letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return !name.starts_with('.') &&
         std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

std::string stem_of(const std::string& image) {
  if (image == "-") return "video";
  std::string name = fs::path(image.substr(0, image.find_first_of("?#"))).filename().string();
  std::error_code code;
  const std::size_t at = name.rfind('@');
  if (at != std::string::npos && at > 0 && !fs::exists(image, code)) name.resize(at);
  const std::string stem = fs::path(name).stem().string();
  return stem.empty() || stem == "." || stem == ".." ? "video" : stem;
}

std::string fill_template(const std::string& flag, const std::string& text, const Job& job) {
  std::string filled;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool doubled = i + 1 < text.size() && text[i + 1] == text[i];
    if ((text[i] == '{' || text[i] == '}') && doubled) {
      filled += text[i++];
    } else if (text[i] == '{') {
      const std::size_t end = text.find('}', i);
      if (end == std::string::npos)
        refuse(fmt::format("{} {}: a brace is not closed", flag, text), "{{ is a brace");
      filled += placeholder(flag, text.substr(i + 1, end - i - 1), job);
      i = end;
    } else {
      filled += text[i];
    }
  }
  return filled;
}

std::vector<Job> list_jobs(const RenderOptions& options) {
  std::vector<Job> jobs = with_seeds(sources_of(options), options);
  check_standard_input(jobs);
  name_outputs(jobs);
  std::erase_if(
      jobs, [&](const Job& job) { return job.index % options.shard.count != options.shard.index; });
  return jobs;
}

}  // namespace svd::cli
