#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/folder_lock.h"

namespace svd {

/// A folder that a command fills with files. Destroyed without `keep`, it loses the files that were
/// named, and goes itself if it was made here and is empty; folders above it stay. It is locked as
/// long as this lives.
class NewFolder {
 public:
  /// Makes the folder and those above it; one that is there has to be empty. Throws Error{output}.
  explicit NewFolder(const std::filesystem::path& folder);
  ~NewFolder();
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;

  /// Where a file of that name is to be written.
  std::filesystem::path file(const std::string& name);

  /// Everything is written: it stays.
  void keep() { is_kept_ = true; }

 private:
  std::filesystem::path folder_;
  bool is_made_here_ = false;
  bool is_kept_ = false;
  std::optional<FolderLock> lock_;
  std::vector<std::filesystem::path> files_;
};

}  // namespace svd
