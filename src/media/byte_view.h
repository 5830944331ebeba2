#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string_view>

namespace svd::media {

/// The end of the data was met where more was promised.
struct CutOff : std::runtime_error {
  CutOff() : std::runtime_error("unexpected end of data") {}
};

/// Reads numbers out of bytes. Every access beyond the end throws CutOff.
class ByteView {
 public:
  explicit ByteView(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  std::size_t size() const { return bytes_.size(); }
  std::span<const std::uint8_t> bytes() const { return bytes_; }

  ByteView part(std::uint64_t offset, std::uint64_t size) const {
    if (offset > bytes_.size() || size > bytes_.size() - offset) throw CutOff();
    return ByteView(bytes_.subspan(offset, size));
  }
  ByteView from(std::uint64_t offset) const {
    if (offset > bytes_.size()) throw CutOff();
    return ByteView(bytes_.subspan(offset));
  }
  std::uint8_t u8(std::uint64_t offset) const { return part(offset, 1).bytes_[0]; }

  /// `count` bytes, most significant first or last.
  std::uint32_t big(std::uint64_t offset, unsigned count) const {
    std::uint32_t value = 0;
    for (const std::uint8_t byte : part(offset, count).bytes_) value = value << 8 | byte;
    return value;
  }
  std::uint32_t little(std::uint64_t offset, unsigned count) const {
    std::uint32_t value = 0;
    unsigned shift = 0;
    for (const std::uint8_t byte : part(offset, count).bytes_) {
      value |= static_cast<std::uint32_t>(byte) << shift;
      shift += 8;
    }
    return value;
  }

  /// Whether `text` stands at `offset`; false beyond the end.
  bool has(std::uint64_t offset, std::string_view text) const {
    if (offset > bytes_.size() || text.size() > bytes_.size() - offset) return false;
    for (std::size_t i = 0; i < text.size(); ++i)
      if (bytes_[offset + i] != static_cast<std::uint8_t>(text[i])) return false;
    return true;
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

}  // namespace svd::media
