#include "media/tiff_directory.h"

#include <string_view>

namespace svd::media {
namespace {

constexpr int kOrientation = 274;

/// Bytes of one number of a TIFF type; 0: not an unsigned number.
unsigned size_of_type(int type) {
  switch (type) {
    case 1:
      return 1;
    case 3:
      return 2;
    case 4:
      return 4;
    default:
      return 0;
  }
}

}  // namespace

TiffDirectory::TiffDirectory(ByteView tiff) : tiff_(tiff) {
  big_endian_ = tiff.has(0, std::string_view("MM\0*", 4));
  if (!big_endian_ && !tiff.has(0, std::string_view("II*\0", 4))) throw CutOff();
  const std::uint64_t start = read(4, 4);
  const std::uint32_t count = read(start, 2);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint64_t at = start + 2 + std::uint64_t{12} * i;
    Entry entry{static_cast<int>(read(at, 2)), static_cast<int>(read(at + 2, 2)), read(at + 4, 4),
                at + 8};
    const std::uint64_t bytes = std::uint64_t{size_of_type(entry.type)} * entry.count;
    if (bytes > 4) entry.value_offset = read(at + 8, 4);
    entries_.push_back(entry);
  }
}

std::uint32_t TiffDirectory::read(std::uint64_t offset, unsigned count) const {
  return big_endian_ ? tiff_.big(offset, count) : tiff_.little(offset, count);
}

const TiffDirectory::Entry* TiffDirectory::find(int tag) const {
  for (const Entry& entry : entries_)
    if (entry.tag == tag && size_of_type(entry.type) != 0) return &entry;
  return nullptr;
}

std::vector<std::uint32_t> TiffDirectory::numbers(int tag) const {
  std::vector<std::uint32_t> values;
  if (const Entry* entry = find(tag)) {
    const unsigned size = size_of_type(entry->type);
    tiff_.part(entry->value_offset, std::uint64_t{size} * entry->count);  // before any allocation
    values.reserve(entry->count);
    for (std::uint32_t i = 0; i < entry->count; ++i)
      values.push_back(read(entry->value_offset + std::uint64_t{size} * i, size));
  }
  return values;
}

std::optional<std::uint32_t> TiffDirectory::number(int tag) const {
  const Entry* entry = find(tag);
  if (entry == nullptr || entry->count == 0) return {};
  return read(entry->value_offset, size_of_type(entry->type));
}

int TiffDirectory::orientation() const {
  const std::uint32_t value = number(kOrientation).value_or(1);
  return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
}

std::optional<std::size_t> TiffDirectory::orientation_offset() const {
  const Entry* entry = find(kOrientation);
  if (entry == nullptr || entry->count == 0) return {};
  return entry->value_offset + (big_endian_ ? size_of_type(entry->type) - 1 : 0);
}

}  // namespace svd::media
