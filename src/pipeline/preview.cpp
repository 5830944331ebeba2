#include "pipeline/preview.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/adaptive_avg_pool2d.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/linalg_lstsq.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>

#include <algorithm>

#include "pipeline/conditioning.h"

namespace svd::pipeline {
namespace {

// [n, C, h, w] -> [n*h*w, C + 1] on the CPU, with a column of ones.
Tensor cells(const Tensor& latents) {
  const Tensor rows =
      latents.cpu().to(at::kDouble).permute({0, 2, 3, 1}).reshape({-1, latents.size(1)});
  return at::cat({rows, at::ones({rows.size(0), 1}, rows.options())}, 1);
}

}  // namespace

LatentPreview::LatentPreview(const Tensor& latents, const Image& picture) {
  const Tensor colours =
      at::adaptive_avg_pool2d(to_pixels(picture), {latents.size(2), latents.size(3)})
          .to(at::kDouble)
          .permute({0, 2, 3, 1})
          .reshape({-1, 3});
  // This driver takes the smallest map where a plain picture leaves it open.
  map_ = std::get<0>(at::linalg_lstsq(cells(latents), colours, std::nullopt, "gelsd"));
}

std::vector<Image> LatentPreview::frames(const Tensor& latents) const {
  const std::int64_t count = latents.size(0), height = latents.size(2), width = latents.size(3);
  const Tensor colours = at::matmul(cells(latents), map_).nan_to_num(-1);
  const Tensor levels = ((colours + 1) / 2).clamp(0, 1).mul(255).round().to(at::kByte);
  const auto* data = levels.contiguous().const_data_ptr<std::uint8_t>();
  std::vector<Image> images;
  for (std::int64_t i = 0; i < count; ++i, data += height * width * 3)
    images.push_back({static_cast<int>(width), static_cast<int>(height),
                      std::vector<std::uint8_t>(data, data + height * width * 3)});
  return images;
}

}  // namespace svd::pipeline
