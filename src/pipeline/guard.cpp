#include "pipeline/guard.h"

#include <ATen/TensorOperators.h>

#include <numeric>

namespace svd::pipeline {

Flaw flaw_of(const at::Tensor& values) {
  return values.isfinite().all().item<bool>() ? nullptr : "holds values that are no numbers";
}

Flaw flaw_of_levels(const at::Tensor& levels) {
  return levels.view(at::kByte).any().item<bool>() ? nullptr : "is all black";
}

bool is_nearly_black(const Image& picture) {
  constexpr std::uint64_t kDarkMean = 4;  // of 255
  const std::uint64_t sum =
      std::accumulate(picture.rgb.begin(), picture.rgb.end(), std::uint64_t{0});
  return sum < kDarkMean * picture.rgb.size();
}

}  // namespace svd::pipeline
