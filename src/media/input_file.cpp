#include "media/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "svd/error.h"

namespace svd::media {
namespace {

constexpr std::size_t kPart = std::size_t{64} << 10;

[[noreturn]] void fail(const std::string& message) { throw Error(ErrorKind::image, message); }

}  // namespace

InputFile::InputFile(const std::string& path)
    : name_(path == "-" ? "standard input" : path),
      owned_(path != "-"),
      file_(owned_ ? open(path.c_str(), O_RDONLY | O_CLOEXEC) : STDIN_FILENO) {
  if (file_ < 0 && errno == ENOENT) fail(name_ + ": there is no such file");
  if (file_ < 0) fail("cannot open " + name_ + ": " + std::generic_category().message(errno));
  struct stat status {};
  if (fstat(file_, &status) != 0) return;
  if (S_ISDIR(status.st_mode)) {
    close_own();
    fail(name_ + " is a folder, expected a picture");
  }
  regular_ = S_ISREG(status.st_mode);
  size_ = static_cast<std::uint64_t>(std::max<off_t>(status.st_size, 0));
}

InputFile::~InputFile() { close_own(); }

void InputFile::close_own() const {
  if (owned_) close(file_);
}

void InputFile::fail_reading(int code) const {
  fail("cannot read " + name_ + ": " + std::generic_category().message(code));
}

void InputFile::read(std::vector<std::uint8_t>& bytes, std::size_t count) {
  const std::size_t end = bytes.size() + count;
  while (bytes.size() < end) {
    const std::size_t old = bytes.size();
    bytes.resize(std::min(end, old + kPart));
    const ssize_t got = ::read(file_, bytes.data() + old, bytes.size() - old);
    const int code = errno;
    bytes.resize(old + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) return;
    if (got < 0 && code != EINTR) fail_reading(code);
  }
}

void InputFile::read_rest(std::vector<std::uint8_t>& bytes) {
  read(bytes, kMaxFileBytes + 1 - bytes.size());
  if (bytes.size() > kMaxFileBytes)
    fail(name_ + " is larger than " + std::to_string(kMaxFileBytes >> 20) + " MiB");
}

std::size_t InputFile::read_at(std::uint64_t offset, std::span<std::uint8_t> target) const {
  std::size_t done = 0;
  while (done < target.size()) {
    const ssize_t got = ::pread(file_, target.data() + done, target.size() - done,
                                static_cast<off_t>(offset + done));
    if (got == 0) break;
    if (got < 0 && errno != EINTR) fail_reading(errno);
    if (got > 0) done += static_cast<std::size_t>(got);
  }
  return done;
}

}  // namespace svd::media
