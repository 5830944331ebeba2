#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "fuzz/expected.h"
#include "weights/safetensors.h"

namespace svd::fuzz {

/// Any bytes as a safetensors file: opens it and touches both ends of every tensor.
inline int fuzz_safetensors(const std::uint8_t* data, std::size_t size) {
  static const int file = memfd_create("fuzz", MFD_CLOEXEC);
  if (file < 0 || ftruncate(file, 0) != 0 ||
      pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) {
    throw std::runtime_error("no memory file");
  }
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  expect(ErrorKind::model, [] {
    const auto opened = weights::SafetensorsFile::open(path);
    for (const auto& info : opened->tensors()) {
      opened->prefetch(info);
      const auto tensor = opened->tensor(info);
      if (tensor.numel() != info.numel() || opened->find(info.name) != &info)
        throw std::logic_error("the tensor is another one");
      if (tensor.nbytes() == 0) continue;
      const auto* bytes = static_cast<const volatile std::uint8_t*>(tensor.const_data_ptr());
      static_cast<void>(bytes[0] + bytes[tensor.nbytes() - 1]);
      opened->release(info);
    }
  });
  return 0;
}

}  // namespace svd::fuzz
