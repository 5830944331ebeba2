#include "media/image_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "media/containers.h"
#include "media/decoders.h"
#include "media/image_header.h"
#include "media/pixels.h"
#include "svd/error.h"

namespace svd::media {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{512} << 20;
constexpr std::size_t kFirstBytes = std::size_t{64} << 10;

[[noreturn]] void fail(const std::string& message, const std::string& hint = {}) {
  throw Error(ErrorKind::image, message, hint);
}

class InputFile {
 public:
  InputFile(const std::string& path, std::string name)
      : name_(std::move(name)),
        owned_(path != "-"),
        file_(owned_ ? open(path.c_str(), O_RDONLY | O_CLOEXEC) : STDIN_FILENO) {
    if (file_ < 0 && errno == ENOENT) fail(name_ + ": there is no such file");
    if (file_ < 0) fail("cannot open " + name_ + ": " + std::generic_category().message(errno));
    struct stat status {};
    if (fstat(file_, &status) == 0 && S_ISDIR(status.st_mode)) {
      close_own();
      fail(name_ + " is a folder, expected a picture");
    }
  }
  ~InputFile() { close_own(); }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  /// Appends up to `count` bytes; fewer only at the end.
  void read(std::vector<std::uint8_t>& bytes, std::size_t count) {
    const std::size_t end = bytes.size() + count;
    while (bytes.size() < end) {
      const std::size_t old = bytes.size();
      bytes.resize(std::min(end, old + kFirstBytes));
      const ssize_t got = ::read(file_, bytes.data() + old, bytes.size() - old);
      const int code = errno;
      bytes.resize(old + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
      if (got == 0) return;
      if (got < 0 && code != EINTR)
        fail("cannot read " + name_ + ": " + std::generic_category().message(code));
    }
  }

 private:
  void close_own() const {
    if (owned_) close(file_);
  }

  std::string name_;
  bool owned_;
  int file_;
};

void check_size(const ImageHeader& header, const std::string& name) {
  const std::string size =
      name + " has " + std::to_string(header.width) + "x" + std::to_string(header.height);
  if (header.width < 1 || header.height < 1) fail(size + " pixels, expected at least 1x1");
  // Sides below 2^32: the product may not fit.
  if (header.width > kMaxPixels / header.height) {
    fail(size + " pixels, more than " + std::to_string(kMaxPixels / 1'000'000) + " million",
         "scale it down first");
  }
  if (header.width * header.height < kMinPixels)
    fail(size + " pixels, expected " + std::to_string(kMinPixels) + " or more in all");
}

}  // namespace

Image decode_image(const std::vector<std::uint8_t>& bytes, const std::string& name) {
  const ImageHeader header = read_header(bytes, name);
  check_size(header, name);
  check_complete(bytes, header, name);
  const bool by_libav = header.format == ImageFormat::gif || header.format == ImageFormat::pnm;
  Image image =
      by_libav ? decode_with_libav(bytes, header, name) : decode_with_opencv(bytes, header, name);
  return make_upright(std::move(image), header.orientation);
}

Image read_image(const std::string& path) {
  const std::string name = path == "-" ? "standard input" : path;
  InputFile file(path, name);
  std::vector<std::uint8_t> bytes;
  file.read(bytes, kFirstBytes);
  check_known(bytes, name);  // before reading what may be a large file of another kind
  file.read(bytes, kMaxFileBytes + 1 - bytes.size());
  if (bytes.size() > kMaxFileBytes)
    fail(name + " is larger than " + std::to_string(kMaxFileBytes >> 20) + " MiB");
  return decode_image(bytes, name);
}

}  // namespace svd::media
