#include "cli/gallery.h"

#include "svd/error.h"

#ifdef SVD_HAVE_MEDIA
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <system_error>
#include <vector>

#include "base/atomic_file.h"
#include "base/json.h"
#include "cli/clip_record.h"
#include "cli/gallery_page.h"
#include "cli/report.h"
#include "media/frame_writer.h"

namespace svd::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kLargePage = std::uintmax_t{256} << 20;

struct FileType {
  const char* extension;
  Showing showing;
  const char* media_type;
};

constexpr std::array<FileType, 7> kTypes = {{{".mp4", Showing::video, "video/mp4"},
                                             {".webm", Showing::video, "video/webm"},
                                             {".gif", Showing::picture, "image/gif"},
                                             {".webp", Showing::picture, "image/webp"},
                                             {".png", Showing::picture, "image/png"},
                                             {".mov", Showing::link, ""},
                                             {".mkv", Showing::link, ""}}};

const FileType* type_of(const fs::path& file) {
  std::string extension = file.extension().string();
  for (char& letter : extension)
    letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  const auto found = std::find_if(kTypes.begin(), kTypes.end(), [&](const FileType& type) {
    return extension == type.extension;
  });
  return found == kTypes.end() ? nullptr : &*found;
}

/// What may be a clip below a folder: of numbered PNG files the first, with how many there are.
using Candidates = std::map<fs::path, int>;

/// "f_0007.png" -> "f_%d.png", empty without a number. Every run of numbers is one clip.
std::string pattern_of(const fs::path& file) {
  const std::string stem = file.stem().string();
  const std::size_t end = stem.find_last_of("0123456789");
  if (end == std::string::npos) return {};
  const std::size_t before = stem.find_last_not_of("0123456789", end);
  const std::size_t begin = before == std::string::npos ? 0 : before + 1;
  return stem.substr(0, begin) + "%d" + stem.substr(end + 1) + file.extension().string();
}

class Finder {
 public:
  explicit Finder(const fs::path& folder) {
    std::error_code code;
    constexpr auto kOptions = fs::directory_options::skip_permission_denied;
    fs::recursive_directory_iterator entry(folder, kOptions, code);
    for (; !code && entry != fs::recursive_directory_iterator(); entry.increment(code)) {
      const fs::path& path = entry->path();
      if (path.filename().string().starts_with('.')) {
        entry.disable_recursion_pending();
        continue;
      }
      std::error_code ignored;
      if (entry->is_regular_file(ignored)) add(path);
    }
    if (code) throw Error(ErrorKind::image, fmt::format("{}: {}", folder.string(), code.message()));
    for (const auto& [pattern, frames] : frames_) found_[frames.first] = frames.second;
  }

  const Candidates& found() const { return found_; }

 private:
  void add(const fs::path& path) {
    const FileType* const type = type_of(path);
    if (type == nullptr) return;
    if (std::string_view(type->extension) != ".png") {
      found_[path] = 1;
      return;
    }
    const std::string pattern = pattern_of(path);
    if (pattern.empty()) return;  // a contact sheet, or a picture
    auto& [first, count] = frames_[path.parent_path() / pattern];
    // 9 comes before 10, and 00009 before 00010.
    const auto order = [](const fs::path& file) {
      return std::pair(file.filename().string().size(), file.filename().string());
    };
    if (count++ == 0 || order(path) < order(first)) first = path;
  }

  Candidates found_;
  std::map<fs::path, std::pair<fs::path, int>> frames_;  ///< by pattern
};

std::string as_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return fmt::format("{}", value.get<double>());
  return one_line(value);
}

using Settings = std::vector<std::pair<std::string, std::string>>;

void add_settings(const Json& value, const std::string& name, Settings& settings) {
  if (value.is_null()) return;
  if (!value.is_object()) {
    settings.emplace_back(name, as_text(value));
    return;
  }
  for (const auto& [key, member] : value.items())
    add_settings(member, name.empty() ? key : name + "." + key, settings);
}

/// The parts of a record (cli/clip_record.h) one after the other, the telling ones first.
Settings settings_of(const Json& record, int files) {
  Settings settings;
  const auto add = [&](const char* part, const std::string& name) {
    if (record.contains(part)) add_settings(record[part], name, settings);
  };
  add("image", "image");
  add("model", "model");
  add("request", "");
  add("encoding", "");
  if (files > 1) settings.emplace_back("files", std::to_string(files));
  add("retries", "retries");
  add("request_id", "request_id");
  add("svd_gen", "svd_gen");
  add("versions", "versions");
  return settings;
}

/// Null: a file that svd-gen did not make.
std::optional<Json> record_of(const fs::path& file, Console& console) {
  try {
    return find_record(file);
  } catch (const Error& error) {
    console.debug(fmt::format("left out: {}", error.what()));
    return std::nullopt;
  }
}

/// Absolute, without links and dots.
fs::path settled(const fs::path& path) {
  std::error_code code;
  fs::path result = fs::weakly_canonical(fs::absolute(path), code);
  return code ? fs::absolute(path).lexically_normal() : result;
}

/// "frames/" or "f_%d.png" for numbered frames.
std::string shown_name(const fs::path& file, const fs::path& folder, int files) {
  const fs::path name = file.lexically_relative(folder);
  if (files == 1) return name.string();
  const std::string pattern = pattern_of(file);
  if (pattern == "%d.png" && name.has_parent_path()) return (name.parent_path() / "").string();
  return (name.parent_path() / pattern).string();
}

std::vector<GalleryClip> find_clips(const fs::path& folder, const fs::path& page,
                                    Console& console) {
  std::vector<GalleryClip> clips;
  const fs::path page_folder = settled(page).parent_path();
  const Finder finder(folder);
  for (const auto& [file, files] : finder.found()) {
    const auto record = record_of(file, console);
    if (!record) continue;
    const FileType& type = *type_of(file);
    clips.push_back({.name = shown_name(file, folder, files),
                     .file = file,
                     .address = percent_encoded(settled(file).lexically_relative(page_folder)),
                     .showing = type.showing,
                     .media_type = type.media_type,
                     .settings = settings_of(*record, files)});
  }
  if (clips.empty())
    throw Error(ErrorKind::image,
                fmt::format("{} holds no clip that says how it was made", folder.string()),
                "clips of svd-gen do, unless --no-metadata was given");
  return clips;
}

void warn_of_size(const std::vector<GalleryClip>& clips, Console& console) {
  std::uintmax_t bytes = 0;
  for (const GalleryClip& clip : clips) {
    std::error_code code;
    const std::uintmax_t size = fs::file_size(clip.file, code);
    if (!code && clip.showing != Showing::link) bytes += size / 3 * 4;
  }
  if (bytes > kLargePage)
    console.warning(fmt::format("the page takes {}: --link makes a small one",
                                format_bytes(static_cast<std::int64_t>(bytes))));
}

/// The last name of a folder, for people.
std::string title_of(const fs::path& folder) {
  const fs::path path = settled(folder);
  return (path.has_filename() ? path : path.parent_path()).filename().string();
}

}  // namespace

void gallery(const GalleryOptions& options, Console& console) {
  const fs::path folder = options.folder;
  const fs::path page = options.output ? fs::path(*options.output) : folder / "index.html";
  std::error_code code;
  if (!fs::is_directory(folder, code))
    throw Error(ErrorKind::image, fmt::format("{}: there is no such folder", folder.string()));
  media::check_output_file(page, options.overwrite);
  const std::vector<GalleryClip> clips = find_clips(folder, page, console);
  if (!options.link) warn_of_size(clips, console);
  AtomicPath file(page, AtomicPath::Type::file);
  std::ofstream out(file.temporary_path(), std::ios::binary);
  write_gallery_page(out, "Clips of " + title_of(folder), clips, options.link);
  out.close();
  if (!out) throw Error(ErrorKind::output, page.string() + ": cannot be written");
  file.commit(options.overwrite);
  console.info(fmt::format("wrote {} with {} clip{}", page.string(), clips.size(),
                           clips.size() == 1 ? "" : "s"));
}

}  // namespace svd::cli

#else

namespace svd::cli {

void gallery(const GalleryOptions&, Console&) {
  throw Error(ErrorKind::usage, "this build of svd-gen reads no clips",
              "build it with -DSVD_MEDIA=ON");
}

}  // namespace svd::cli

#endif
