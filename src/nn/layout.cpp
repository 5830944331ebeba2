#include "nn/layout.h"

#include <c10/core/MemoryFormat.h>

namespace svd::nn {
namespace {

// [N, C, a, b] channels-last -> the same memory as [N, a, b, C].
Tensor channels_behind(const Tensor& x) { return x.permute({0, 2, 3, 1}).contiguous(); }

}  // namespace

Tensor channels_last(const Tensor& picture) {
  return picture.contiguous(at::MemoryFormat::ChannelsLast);
}

Tensor picture_to_tokens(const Tensor& picture) {
  return channels_behind(picture).view(
      {picture.size(0), picture.size(2) * picture.size(3), picture.size(1)});
}

Tensor tokens_to_picture(const Tensor& tokens, std::int64_t h, std::int64_t w) {
  return tokens.contiguous().view({tokens.size(0), h, w, tokens.size(2)}).permute({0, 3, 1, 2});
}

Tensor picture_to_clip(const Tensor& picture, std::int64_t frames) {
  return channels_behind(picture)
      .view({picture.size(0) / frames, frames * picture.size(2), picture.size(3), picture.size(1)})
      .permute({0, 3, 1, 2});
}

Tensor picture_to_columns(const Tensor& picture, std::int64_t frames) {
  return channels_behind(picture)
      .view({picture.size(0) / frames, frames, picture.size(2) * picture.size(3), picture.size(1)})
      .permute({0, 3, 1, 2});
}

Tensor to_picture(const Tensor& view, std::int64_t frames, std::int64_t h, std::int64_t w) {
  return channels_behind(view)
      .view({view.size(0) * frames, h, w, view.size(1)})
      .permute({0, 3, 1, 2});
}

}  // namespace svd::nn
