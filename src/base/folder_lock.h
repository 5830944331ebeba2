#pragma once

#include <filesystem>

namespace svd {

/// A folder that is there, locked (flock) as long as this lives, where the file system has locks.
class FolderLock {
 public:
  /// Throws Error{output} if another process holds the lock.
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int file_ = -1;  ///< a descriptor of the folder
};

}  // namespace svd
