#include "weights/shape_reader.h"

#include <fmt/format.h>

#include "svd/error.h"

namespace svd::weights {

int ShapeReader::size(const std::string& name, std::size_t rank, std::size_t dim) const {
  const TensorInfo* info = file_.find(prefix_ + name);
  const std::string file = file_.path().string();
  if (info == nullptr) {
    throw Error(ErrorKind::model, fmt::format("{}: tensor '{}{}' is missing, so the size of the "
                                              "model is unknown",
                                              file, prefix_, name));
  }
  const auto& shape = info->shape;
  if (shape.size() != rank || shape[dim] < 1 || shape[dim] > 1'000'000) {
    throw Error(ErrorKind::model,
                fmt::format("{}: tensor '{}{}' has shape [{}], expected {} dimensions of 1 or more",
                            file, prefix_, name, fmt::join(shape, ", "), rank));
  }
  return static_cast<int>(shape[dim]);
}

int ShapeReader::count(const std::string& before, const std::string& after) const {
  int n = 0;
  while (has(fmt::format("{}{}{}", before, n, after))) ++n;
  return n;
}

}  // namespace svd::weights
