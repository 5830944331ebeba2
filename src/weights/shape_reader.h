#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "weights/safetensors.h"

namespace svd::weights {

/// Reads configuration numbers from the shapes of tensors below a prefix. Throws Error{model}
/// where a tensor is missing or a size is out of range.
class ShapeReader {
 public:
  ShapeReader(const SafetensorsFile& file, std::string prefix)
      : file_(file), prefix_(std::move(prefix)) {}

  bool has(const std::string& name) const { return file_.find(prefix_ + name) != nullptr; }

  /// Size of dimension `dim` of a tensor that must have `rank` dimensions, 1 to 1,000,000.
  int size(const std::string& name, std::size_t rank, std::size_t dim) const;

  /// Number of n = 0, 1, ... for which `before` n `after` is there.
  int count(const std::string& before, const std::string& after) const;

 private:
  const SafetensorsFile& file_;
  std::string prefix_;
};

}  // namespace svd::weights
