#include "media/file_bytes.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "svd/error.h"

namespace svd::media {
namespace {

namespace fs = std::filesystem;

/// A file descriptor, closed at the end.
class File {
 public:
  File(const fs::path& path, int flags)
      : descriptor_(open(path.c_str(), flags | O_CLOEXEC, 0666)) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  int get() const { return descriptor_; }
  int close() { return ::close(std::exchange(descriptor_, -1)); }

 private:
  int descriptor_;
};

[[noreturn]] void fail_to_write(const fs::path& path, int code) {
  throw Error(ErrorKind::output,
              "cannot write " + path.string() + ": " + std::generic_category().message(code),
              code == ENOSPC ? "free some space or write to another disk" : "");
}

[[noreturn]] void fail_to_read(const fs::path& path, int code) {
  throw Error(ErrorKind::image,
              "cannot read " + path.string() + ": " + std::generic_category().message(code));
}

}  // namespace

void write_file(const fs::path& path, std::span<const std::uint8_t> bytes, const fs::path& shown) {
  File file(path, O_WRONLY | O_CREAT | O_TRUNC);
  if (file.get() < 0) fail_to_write(shown, errno);
  while (!bytes.empty()) {
    const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
    if (written >= 0)
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    else if (errno != EINTR)
      fail_to_write(shown, errno);
  }
  if (file.close() != 0) fail_to_write(shown, errno);
}

std::optional<std::vector<std::uint8_t>> read_file(const fs::path& path, std::size_t limit) {
  const File file(path, O_RDONLY);
  if (file.get() < 0) {
    if (errno == ENOENT) return {};
    fail_to_read(path, errno);
  }
  std::vector<std::uint8_t> bytes;
  constexpr std::size_t step = 1 << 16;
  while (bytes.size() < limit) {
    const std::size_t before = bytes.size();
    bytes.resize(std::min(limit, before + step));
    const ssize_t got = ::read(file.get(), bytes.data() + before, bytes.size() - before);
    bytes.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) break;
    if (got < 0 && errno != EINTR) fail_to_read(path, errno);
  }
  return bytes;
}

}  // namespace svd::media
