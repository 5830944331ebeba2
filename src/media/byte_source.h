#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace svd::media {

/// Bytes of a known number that can be read from any place.
class ByteSource {
 public:
  ByteSource() = default;
  virtual ~ByteSource() = default;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  virtual std::uint64_t size() const = 0;

  /// Fills `target` from `offset` on and returns how many bytes that were; fewer only at the end.
  virtual std::size_t read_at(std::uint64_t offset, std::span<std::uint8_t> target) const = 0;
};

/// Bytes that somebody else keeps alive.
class MemorySource : public ByteSource {
 public:
  explicit MemorySource(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  std::uint64_t size() const override { return bytes_.size(); }
  std::size_t read_at(std::uint64_t offset, std::span<std::uint8_t> target) const override {
    if (offset >= bytes_.size()) return 0;
    const std::size_t count = std::min<std::size_t>(target.size(), bytes_.size() - offset);
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), count, target.begin());
    return count;
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

}  // namespace svd::media
