#include "media/output_name.h"

#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <system_error>

#include "base/atomic_file.h"
#include "base/suggest.h"
#include "media/contact_sheet.h"
#include "media/formats.h"
#include "media/frame_writer.h"
#include "media/sidecar.h"
#include "svd/error.h"

namespace svd::media {
namespace {

namespace fs = std::filesystem;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// Whether the frames of `path` are pictures whose number is in their name.
bool is_pattern(const fs::path& path) {
  const Format* format = format_of_name(path);
  const bool pictures = format != nullptr && format->container == Container::pictures;
  return pictures && parse_numbered_name(path.filename().string()).has_value();
}

[[noreturn]] void refuse(const std::string& message, const std::string& hint = {}) {
  throw Error(ErrorKind::output, message, hint);
}

void check_parent(const fs::path& path) {
  const fs::path parent = parent_folder(path);
  struct stat status {};
  const int code = stat(parent.c_str(), &status) == 0 ? 0 : errno;
  if (code == ENOENT) {
    refuse("the folder " + parent.string() + " does not exist",
           "mkdir -p '" + parent.string() + "'");
  }
  if (code == ENOTDIR || (code == 0 && !S_ISDIR(status.st_mode)))
    refuse(parent.string() + " is not a folder");
  if (code != 0) refuse(parent.string() + ": " + std::generic_category().message(code));
  // Permissions say too little (root, network and pseudo file systems): try.
  const AtomicPath attempt(path, AtomicPath::Type::file);
}

void check_file(const fs::path& path, bool overwrite) {
  std::error_code code;
  const fs::file_type type = fs::symlink_status(path, code).type();
  if (type == fs::file_type::not_found) return;
  if (code) refuse(path.string() + ": " + code.message());
  if (fs::is_directory(path, code)) refuse(path.string() + " is a folder, expected a file");
  if (type != fs::file_type::regular && type != fs::file_type::symlink)
    refuse(path.string() + " is not a regular file");
  if (!overwrite) refuse(path.string() + " exists already", "--overwrite replaces it");
}

void check_frame_folder(const fs::path& path, bool overwrite) {
  const fs::path folder = path.parent_path();
  std::error_code code;
  const fs::file_type type = fs::symlink_status(folder, code).type();
  if (type == fs::file_type::not_found) return;
  if (code) refuse(folder.string() + ": " + code.message());
  if (type != fs::file_type::directory) refuse(folder.string() + " exists and is not a folder");
  if (!overwrite && !fs::is_empty(folder, code))
    refuse("the folder " + path.string() + " is not empty", "--overwrite replaces it");
  if (const auto foreign = foreign_entry(folder)) {
    refuse("the folder " + path.string() + " holds more than frames: " + *foreign,
           "only a folder of frames (00000.png, ...) is replaced; name another one");
  }
}

void check_pattern(const fs::path& path, bool overwrite) {
  if (overwrite) return;
  const auto name = parse_numbered_name(path.filename().string());
  std::error_code code;
  for (auto entry = fs::directory_iterator(parent_folder(path), code);
       !code && entry != fs::directory_iterator(); entry.increment(code)) {
    if (name->matches(entry->path().filename().string()))
      refuse(entry->path().string() + " exists already", "--overwrite replaces frames");
  }
  if (code) refuse(parent_folder(path).string() + ": " + code.message());
}

}  // namespace

std::string NumberedName::file(int number) const {
  std::string text = std::to_string(number);
  const auto width = static_cast<std::size_t>(digits);
  if (text.size() < width) text.insert(0, width - text.size(), '0');
  return prefix + text + suffix;
}

bool NumberedName::matches(const std::string& name) const {
  if (name.size() < prefix.size() + suffix.size() || !name.starts_with(prefix) ||
      !name.ends_with(suffix)) {
    return false;
  }
  const std::string number =
      name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
  if (number.empty() || !std::all_of(number.begin(), number.end(), is_digit)) return false;
  const auto width = static_cast<std::size_t>(digits);
  return number.size() == width || (number.size() > width && number.front() != '0');
}

std::optional<NumberedName> parse_numbered_name(const std::string& name) {
  NumberedName result;
  bool found = false;
  for (std::size_t i = 0; i < name.size(); ++i) {
    std::string& part = found ? result.suffix : result.prefix;
    if (name[i] != '%') {
      part += name[i];
    } else if (name.compare(i, 2, "%%") == 0) {
      part += '%';
      ++i;
    } else if (!found && name.compare(i, 2, "%d") == 0) {
      found = true;
      ++i;
    } else if (!found && i + 3 < name.size() && name[i + 1] == '0' && is_digit(name[i + 2]) &&
               name[i + 2] != '0' && name[i + 3] == 'd') {
      found = true;
      result.digits = name[i + 2] - '0';
      i += 3;
    } else {
      return {};
    }
  }
  if (!found) return {};
  return result;
}

NumberedName folder_frame_name(const std::string& format) {
  return {"", 5, std::string(find_format(format)->extensions.front())};
}

const Format* format_of_name(const fs::path& path) {
  return format_of_extension(lower(path.extension().string()));
}

bool is_standard_output(const fs::path& path) { return path == "-"; }

fs::path parent_folder(const fs::path& path) {
  const fs::path named = path.has_filename() ? path : path.parent_path();
  return named.has_parent_path() ? named.parent_path() : fs::path(".");
}

std::optional<std::string> foreign_entry(const fs::path& folder) {
  const auto is_frame = [](const std::string& name) {
    return std::any_of(formats().begin(), formats().end(), [&](const Format& format) {
      return format.container == Container::pictures &&
             folder_frame_name(std::string(format.name)).matches(name);
    });
  };
  std::error_code code;
  for (auto entry = fs::directory_iterator(folder, code);
       !code && entry != fs::directory_iterator(); entry.increment(code)) {
    const std::string name = entry->path().filename().string();
    if (!is_frame(name) || entry->symlink_status(code).type() != fs::file_type::regular)
      return name;
  }
  if (code) refuse(folder.string() + ": " + code.message());
  return {};
}

namespace {

std::string accepted_names() {
  return "accepted are NAME.mp4, .mov, .mkv, .webm, .gif, .webp and .y4m, a folder of PNG frames "
         "NAME/, a pattern NAME_%04d.png, .jpg or .tif, and - for standard output";
}

[[noreturn]] void refuse_name(const fs::path& path, const std::string& what,
                              const std::string& hint) {
  throw Error(ErrorKind::usage, "output " + path.string() + ": " + what, hint);
}

const Format& asked_for(const std::string& name) {
  if (const Format* format = find_format(lower(name))) return *format;
  const std::string suggestion = did_you_mean(name, format_names());
  std::string list;
  for (const std::string& known : format_names()) list += (list.empty() ? "" : ", ") + known;
  throw Error(ErrorKind::usage, "unknown format " + name,
              suggestion.empty() ? "formats are " + list : suggestion);
}

const Format& known_format(const fs::path& path) {
  if (const Format* format = format_of_name(path)) return *format;
  const std::string extension = lower(path.extension().string());
  std::string hint = accepted_names();
  std::error_code code;
  if (fs::is_directory(path, code))
    hint = "write " + path.string() + "/ for a folder of PNG frames";
  refuse_name(path, extension.empty() ? "no extension" : "unknown extension " + extension, hint);
}

}  // namespace

std::string output_format(const fs::path& path, const EncodingOptions& encoding) {
  if (path.empty()) throw Error(ErrorKind::usage, "the output has no name", accepted_names());
  const Format* asked = encoding.format ? &asked_for(*encoding.format) : nullptr;
  const std::string name = path.filename().string();
  const bool is_folder = name.empty();
  if (is_folder) {
    const std::string folder = path.parent_path().filename().string();
    if (folder.empty() || folder == "." || folder == "..")
      refuse_name(path, "names no new folder", accepted_names());
    if (asked != nullptr && asked->container != Container::pictures)
      refuse_name(path, std::string(asked->name) + " is one file, not a folder of frames",
                  "png, jpeg and tiff make folders");
    return asked == nullptr ? "png" : std::string(asked->name);
  }
  if (is_standard_output(path)) {
    if (asked == nullptr) return "mp4";
    if (asked->container == Container::pictures)
      throw Error(ErrorKind::usage,
                  std::string(asked->name) + " frames cannot go to standard output",
                  "mp4, mkv, webm and y4m can");
    return std::string(asked->name);
  }
  const Format& format = asked == nullptr ? known_format(path) : *asked;
  if (format.container == Container::pictures && !parse_numbered_name(name)) {
    const std::string stem = path.stem().string();
    refuse_name(path, "the name of frames needs exactly one number, %d or %0Nd",
                "for example " + stem.substr(0, stem.find('%')) + "_%04d" +
                    std::string(format.extensions.front()));
  }
  return std::string(format.name);
}

void check_output(const fs::path& path, bool overwrite) {
  if (is_standard_output(path)) return;
  check_parent(path);
  if (!path.has_filename())
    check_frame_folder(path, overwrite);
  else if (is_pattern(path))
    check_pattern(path, overwrite);
  else
    check_file(path, overwrite);
}

void check_output(const OutputOptions& options) {
  const Format& format = *find_format(output_format(options.path, options.encoding));
  const bool is_named = options.path.has_filename() && !is_standard_output(options.path);
  if (is_named && format.container == Container::pictures) {
    check_parent(options.path);
    check_pattern(options.path, options.overwrite);
  } else {
    check_output(options.path, options.overwrite);
  }
  if (const auto sidecar = sidecar_of(options, format))
    check_output_file(*sidecar, options.overwrite);
  if (!options.contact_sheet) return;
  check_contact_sheet_name(*options.contact_sheet);
  if (options.contact_sheet->lexically_normal() == options.path.lexically_normal())
    throw Error(ErrorKind::usage, "the contact sheet has the name of the output");
  check_output_file(*options.contact_sheet, options.overwrite);
}

void check_output_file(const fs::path& path, bool overwrite) {
  check_parent(path);
  if (!path.has_filename()) refuse(path.string() + " is a folder, expected a file");
  check_file(path, overwrite);
}

}  // namespace svd::media
