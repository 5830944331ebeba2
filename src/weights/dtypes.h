#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace svd::weights {

/// A number format of the safetensors format that svd-gen reads and writes.
struct StoredDtype {
  const char* name;  ///< as the file spells it: "F32"
  at::ScalarType type;
  std::uint64_t bytes;  ///< of one element
};

/// Null: unknown name.
const StoredDtype* find_dtype(std::string_view name);
const StoredDtype* find_dtype(at::ScalarType type);

}  // namespace svd::weights
