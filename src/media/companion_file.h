#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>

#include "base/atomic_file.h"

namespace svd::media {

/// A small file that appears together with an output.
class CompanionFile {
 public:
  /// Takes its place, still hidden. Throws Error{output}.
  CompanionFile(std::filesystem::path path, bool overwrite);

  void write(std::span<const std::uint8_t> bytes);

  /// Publishes it and then calls `publish`. Should that throw, the file is taken back, unless it
  /// may have replaced another.
  void publish_before(const std::function<void()>& publish);

 private:
  std::filesystem::path path_;
  AtomicPath temporary_;
  bool overwrite_;
};

}  // namespace svd::media
