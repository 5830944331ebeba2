#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "svd/image.h"

namespace svd::pipeline {

/// Small pictures from latents without a network: a linear map from a cell's values to its mean
/// colour, fitted by least squares to a picture whose latents are known.
class LatentPreview {
 public:
  /// latents: [1, C, h, w] of the picture, unscaled; the picture's sides are multiples of h and w.
  LatentPreview(const at::Tensor& latents, const Image& picture);

  /// latents: [F, C, h, w], unscaled -> F pictures of w x h.
  std::vector<Image> frames(const at::Tensor& latents) const;

 private:
  at::Tensor map_;  // [C + 1, 3], the last row for a constant
};

}  // namespace svd::pipeline
