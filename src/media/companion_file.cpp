#include "media/companion_file.h"

#include <system_error>
#include <utility>

#include "media/file_bytes.h"

namespace svd::media {

CompanionFile::CompanionFile(std::filesystem::path path, bool overwrite)
    : path_(std::move(path)), temporary_(path_, AtomicPath::Type::file), overwrite_(overwrite) {}

void CompanionFile::write(std::span<const std::uint8_t> bytes) {
  write_file(temporary_.temporary_path(), bytes, path_);
}

void CompanionFile::publish_before(const std::function<void()>& publish) {
  temporary_.commit(overwrite_);
  try {
    publish();
  } catch (...) {
    std::error_code ignored;
    if (!overwrite_) std::filesystem::remove(path_, ignored);
    throw;
  }
}

}  // namespace svd::media
