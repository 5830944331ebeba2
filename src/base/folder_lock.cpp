#include "base/folder_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "svd/error.h"

namespace svd {

FolderLock::FolderLock(const std::filesystem::path& folder)
    : file_(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (file_ < 0 || flock(file_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
  close(file_);
  throw Error(ErrorKind::output, fmt::format("{} is being written by another run", folder.string()),
              "wait for it, or choose another folder");
}

FolderLock::~FolderLock() {
  if (file_ >= 0) close(file_);
}

}  // namespace svd
