#include "weights/dtypes.h"

namespace svd::weights {
namespace {

constexpr StoredDtype kDtypes[] = {
    {"F64", at::ScalarType::Double, 8},
    {"F32", at::ScalarType::Float, 4},
    {"F16", at::ScalarType::Half, 2},
    {"BF16", at::ScalarType::BFloat16, 2},
    {"F8_E4M3", at::ScalarType::Float8_e4m3fn, 1},
    {"F8_E5M2", at::ScalarType::Float8_e5m2, 1},
    {"I64", at::ScalarType::Long, 8},
    {"I32", at::ScalarType::Int, 4},
    {"I16", at::ScalarType::Short, 2},
    {"I8", at::ScalarType::Char, 1},
    {"U64", at::ScalarType::UInt64, 8},
    {"U32", at::ScalarType::UInt32, 4},
    {"U16", at::ScalarType::UInt16, 2},
    {"U8", at::ScalarType::Byte, 1},
    {"BOOL", at::ScalarType::Bool, 1},
};

}  // namespace

const StoredDtype* find_dtype(std::string_view name) {
  for (const StoredDtype& dtype : kDtypes) {
    if (name == dtype.name) return &dtype;
  }
  return nullptr;
}

const StoredDtype* find_dtype(at::ScalarType type) {
  for (const StoredDtype& dtype : kDtypes) {
    if (type == dtype.type) return &dtype;
  }
  return nullptr;
}

}  // namespace svd::weights
