#include "base/atomic_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <random>
#include <string>
#include <system_error>
#include <utility>

#include "svd/error.h"

namespace svd {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const std::string& what, const fs::path& path, int code) {
  throw Error(ErrorKind::output,
              what + " " + path.string() + ": " + std::generic_category().message(code),
              code == ENOSPC ? "free some space or write to another disk" : "");
}

[[noreturn]] void fail_exists(const fs::path& path) {
  throw Error(ErrorKind::output, path.string() + " exists already", "--overwrite replaces it");
}

fs::path without_trailing_slash(const fs::path& path) {
  return path.has_filename() ? path : path.parent_path();
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

constexpr const char* kPrefix = ".svd-gen-";
constexpr const char* kSuffix = ".tmp";

/// Short whatever the final name, so that no limit on names is met.
fs::path hidden_sibling(const fs::path& path) {
  std::random_device random;
  char name[40];
  snprintf(name, sizeof name, "%s%08x%08x%s", kPrefix, random(), random(), kSuffix);
  return folder_of(path) / name;
}

/// A descriptor of `path` with a lock on it; -1 where another process holds one, or there can be
/// none (a file system without locks).
int lock(const fs::path& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file >= 0 && flock(file, LOCK_EX | LOCK_NB) == 0) return file;
  if (file >= 0) close(file);
  return -1;
}

void create(const fs::path& temporary, const fs::path& final_path, AtomicPath::Type type) {
  if (type == AtomicPath::Type::folder) {
    if (mkdir(temporary.c_str(), 0777) != 0) fail("cannot create", final_path, errno);
    return;
  }
  const int file = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file < 0) fail("cannot create", final_path, errno);
  close(file);
}

/// Between its creation and its lock another process may have taken a temporary for abandoned.
bool is_ours(int locked, const fs::path& path) {
  struct stat held {
  }, named{};
  if (locked < 0) return stat(path.c_str(), &named) == 0;  // a file system without locks
  return fstat(locked, &held) == 0 && stat(path.c_str(), &named) == 0 &&
         held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

void sync_file(const fs::path& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) fail("cannot open", path, errno);
  const int code = fsync(file) == 0 ? 0 : errno;
  close(file);
  if (code != 0) fail("cannot write", path, code);
}

/// A folder may be unreadable and still take files, and some file systems sync no folders.
void sync_folder(const fs::path& path) {
  const int folder = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  const int code = fsync(folder) == 0 ? 0 : errno;
  close(folder);
  if (code == EIO || code == ENOSPC || code == EDQUOT) fail("cannot write", path, code);
}

void sync_content(const fs::path& folder) {
  std::error_code code;
  for (auto entry = fs::recursive_directory_iterator(folder, code);
       !code && entry != fs::recursive_directory_iterator(); entry.increment(code)) {
    if (entry->is_regular_file(code)) sync_file(entry->path());
  }
  if (code) fail("cannot read", folder, code.value());
  sync_folder(folder);
}

bool unsupported(int code) { return code == ENOSYS || code == EINVAL || code == EOPNOTSUPP; }

bool is_there(const fs::path& path) {
  std::error_code code;
  return fs::symlink_status(path, code).type() != fs::file_type::not_found;
}

void publish_new(const fs::path& from, const fs::path& to, AtomicPath::Type type) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return;
  if (errno == EEXIST) fail_exists(to);
  if (!unsupported(errno)) fail("cannot create", to, errno);
  if (type == AtomicPath::Type::file) {
    if (link(from.c_str(), to.c_str()) == 0) {
      unlink(from.c_str());
      return;
    }
    if (errno == EEXIST) fail_exists(to);
    if (errno != EPERM && !unsupported(errno)) fail("cannot create", to, errno);
  }
  // Folders, and file systems without links: rename replaces an empty folder at most if the name
  // appears between these two lines, or a file where there are no links.
  if (is_there(to)) fail_exists(to);
  if (rename(from.c_str(), to.c_str()) != 0) fail("cannot create", to, errno);
}

/// rename replaces files and empty folders; a folder with content has to change places first.
void publish_over(const fs::path& from, const fs::path& to, AtomicPath::Type type) {
  if (rename(from.c_str(), to.c_str()) == 0) return;
  const bool occupied = errno == ENOTEMPTY || errno == EEXIST;
  if (type == AtomicPath::Type::file || !occupied) fail("cannot replace", to, errno);
  fs::path old = from;
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) != 0) {
    if (!unsupported(errno)) fail("cannot replace", to, errno);
    old = hidden_sibling(to);
    if (rename(to.c_str(), old.c_str()) != 0) fail("cannot replace", to, errno);
    if (rename(from.c_str(), to.c_str()) != 0) {
      const int code = errno;
      if (rename(old.c_str(), to.c_str()) != 0) fail("cannot restore", to, errno);
      fail("cannot replace", to, code);
    }
  }
  std::error_code ignored;
  fs::remove_all(old, ignored);
}

void publish(const fs::path& from, const fs::path& to, AtomicPath::Type type, bool overwrite) {
  if (overwrite)
    publish_over(from, to, type);
  else
    publish_new(from, to, type);
}

}  // namespace

void publish_file(const fs::path& from, const fs::path& to, bool overwrite) {
  sync_file(from);
  publish(from, to, AtomicPath::Type::file, overwrite);
}

AtomicPath::AtomicPath(const fs::path& final_path, Type type)
    : final_(without_trailing_slash(final_path)), type_(type) {
  constexpr int kAttempts = 8;
  for (int i = 0; i < kAttempts; ++i) {
    temporary_ = hidden_sibling(final_);
    create(temporary_, final_, type_);
    lock_ = lock(temporary_);
    if (is_ours(lock_, temporary_)) return;
    if (lock_ >= 0) close(lock_);
  }
  fail("cannot create", final_, EAGAIN);
}

AtomicPath::~AtomicPath() {
  if (!committed_) {
    std::error_code ignored;
    fs::remove_all(temporary_, ignored);
  }
  if (lock_ >= 0) close(lock_);
}

void AtomicPath::commit(bool overwrite) {
  if (type_ == Type::file) {
    publish_file(temporary_, final_, overwrite);
  } else {
    sync_content(temporary_);
    publish(temporary_, final_, type_, overwrite);
  }
  committed_ = true;
  sync_folder(folder_of(final_));
}

void write_text_file(const fs::path& path, const std::string& text, bool overwrite) {
  AtomicPath file(path, AtomicPath::Type::file);
  std::ofstream out(file.temporary_path(), std::ios::binary);
  out << text;
  out.close();
  if (!out) throw Error(ErrorKind::output, path.string() + ": cannot be written");
  file.commit(overwrite);
}

int remove_abandoned(const fs::path& folder) {
  int removed = 0;
  std::error_code code;
  for (auto entry = fs::directory_iterator(folder.empty() ? "." : folder, code);
       !code && entry != fs::directory_iterator(); entry.increment(code)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) continue;
    const int file = lock(entry->path());
    if (file < 0) continue;
    std::error_code ignored;
    if (fs::remove_all(entry->path(), ignored) > 0) ++removed;
    close(file);
  }
  return removed;
}

}  // namespace svd
