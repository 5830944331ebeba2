#pragma once

#include <string>
#include <vector>

#include "media/byte_source.h"

namespace svd::media {

/// Most bytes of an input that are read into memory.
inline constexpr std::size_t kMaxFileBytes = std::size_t{512} << 20;

/// An input that is open for reading: a file, a pipe, or standard input. Every failure is an
/// Error{image} that names it.
class InputFile : public ByteSource {
 public:
  /// `path` "-" is standard input. Throws if there is no such file, or it is a folder.
  explicit InputFile(const std::string& path);
  ~InputFile() override;

  /// The path, or "standard input".
  const std::string& name() const { return name_; }

  /// Whether it is a file on a disk, which can be read from any place.
  bool is_regular() const { return regular_; }

  /// Appends up to `count` of the bytes that come next; fewer only at the end.
  void read(std::vector<std::uint8_t>& bytes, std::size_t count);

  /// Appends all that is left. Throws when `bytes` would have more than kMaxFileBytes.
  void read_rest(std::vector<std::uint8_t>& bytes);

  /// Of a regular file only.
  std::uint64_t size() const override { return size_; }
  std::size_t read_at(std::uint64_t offset, std::span<std::uint8_t> target) const override;

 private:
  [[noreturn]] void fail_reading(int code) const;
  void close_own() const;

  std::string name_;
  bool owned_;
  int file_;
  bool regular_ = false;
  std::uint64_t size_ = 0;
};

}  // namespace svd::media
