#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace svd::media {

struct Format;

/// The name of numbered files: "f_%04d.png" is prefix "f_", four digits, suffix ".png".
struct NumberedName {
  std::string prefix;
  int digits = 1;  ///< at least so many, filled up with zeros
  std::string suffix;

  std::string file(int number) const;
  /// Whether `name` is one that `file` makes.
  bool matches(const std::string& name) const;
};

/// Reads a file name with exactly one %d or %0Nd (N from 1 to 9; %% is a percent sign). Empty: it
/// is not one.
std::optional<NumberedName> parse_numbered_name(const std::string& name);

/// Files in a folder output of `format`: 00000.png, 00001.png, ...
NumberedName folder_frame_name(const std::string& format);

/// The format that the extension says, in whatever case; null if it says none.
const Format* format_of_name(const std::filesystem::path& path);

/// Whether `path` is "-".
bool is_standard_output(const std::filesystem::path& path);

/// The folder that `path`, a file or "name/", is in; "." when it names none.
std::filesystem::path parent_folder(const std::filesystem::path& path);

/// The name that cannot be taken for a frame of ours in `folder`, if there is any. Throws
/// Error{output} if the folder cannot be read.
std::optional<std::string> foreign_entry(const std::filesystem::path& folder);

}  // namespace svd::media
