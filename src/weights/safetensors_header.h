#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weights/safetensors.h"

namespace svd::weights {

/// Longest header the format allows.
inline constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;

struct SafetensorsHeader {
  std::vector<TensorInfo> tensors;  ///< by position in the data section
  std::map<std::string, std::string> metadata;
};

/// Parses and validates the JSON of a header against `data_bytes`, the length of the data section:
/// names, dtypes, shapes, and that the ranges cover the data section exactly once. `file` is for
/// messages. Throws Error{model}.
SafetensorsHeader parse_safetensors_header(std::string_view json, std::uint64_t data_bytes,
                                           const std::string& file);

/// Lays `tensors` (name, dtype and shape are read, begin and end are set) out back to back, largest
/// element size first and then by name, and returns the header with its 8-byte length in front.
/// The data section starts at a multiple of 8. Sorts `tensors` into file order.
std::string layout_safetensors(std::vector<TensorInfo>& tensors,
                               const std::map<std::string, std::string>& metadata);

}  // namespace svd::weights
