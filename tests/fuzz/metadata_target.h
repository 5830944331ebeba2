#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "fuzz/expected.h"
#include "media/metadata.h"

namespace svd::fuzz {

/// Any bytes as an output whose metadata are read back.
inline int fuzz_metadata(const std::uint8_t* data, std::size_t size) {
  static const int file = memfd_create("fuzz", MFD_CLOEXEC);
  if (file < 0 || ftruncate(file, 0) != 0 ||
      pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) {
    throw std::runtime_error("no memory file");
  }
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  expect(ErrorKind::image, [] { media::read_metadata(path); });
  return 0;
}

}  // namespace svd::fuzz
