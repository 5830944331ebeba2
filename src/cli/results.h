#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace svd::cli {

/// The JSON lines about finished clips. Several processes may append to one file: each line is one
/// write, and synced before the next clip begins.
class Results {
 public:
  /// Opens or creates the file. Throws Error{output}.
  explicit Results(std::filesystem::path path);
  ~Results();
  Results(const Results&) = delete;
  Results& operator=(const Results&) = delete;

  /// Throws Error{output}.
  void append(const nlohmann::ordered_json& line);

  /// Of the lines that say "done" or "adopted": key ("job") and request id. Lines that a kill cut
  /// off, or that are not ours, are passed over.
  static std::map<std::string, std::string> finished(const std::filesystem::path& path);

 private:
  std::filesystem::path path_;
  int file_ = -1;
};

}  // namespace svd::cli
