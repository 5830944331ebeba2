#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "media/byte_view.h"

namespace svd::media {

/// The first directory of a TIFF file.
class TiffDirectory {
 public:
  /// Throws CutOff if the directory is not all there, and if `tiff` is no TIFF at all.
  explicit TiffDirectory(ByteView tiff);

  /// The numbers of a tag of type BYTE, SHORT or LONG; empty if there is none.
  std::vector<std::uint32_t> numbers(int tag) const;
  std::optional<std::uint32_t> number(int tag) const;

  /// Orientation as in EXIF, from 1 to 8; 1 if it is not there or nonsense.
  int orientation() const;

  /// Where the file holds the orientation, as the offset of its low byte; empty if it does not.
  std::optional<std::size_t> orientation_offset() const;

 private:
  struct Entry {
    int tag;
    int type;
    std::uint32_t count;
    std::uint64_t value_offset;
  };
  std::uint32_t read(std::uint64_t offset, unsigned count) const;
  const Entry* find(int tag) const;

  ByteView tiff_;
  bool big_endian_ = false;
  std::vector<Entry> entries_;
};

}  // namespace svd::media
