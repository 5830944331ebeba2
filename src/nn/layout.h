#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

/// Note: [Temporal layout]
/// Activations live in one memory order, [B, F, h, w, C]. The layers see it under four shapes, all
/// of them views without a copy:
///
///     picture  [B*F, C, h, w]      channels-last; spatial convolutions and norms
///     tokens   [B*F, h*w, C]       linear layers and spatial attention
///     clip     [B, C, F*h, w]      channels-last; norms whose statistics span the whole clip
///     columns  [B, C, F, h*w]      channels-last; a 3x1x1 convolution is 3x1 here
///
/// Temporal attention reads tokens with strides (nn/attention.h).
namespace svd::nn {

using at::Tensor;

/// Picture in channels-last memory; a copy only if it was not.
Tensor channels_last(const Tensor& picture);

Tensor picture_to_tokens(const Tensor& picture);                                 // [B*F, h*w, C]
Tensor tokens_to_picture(const Tensor& tokens, std::int64_t h, std::int64_t w);  // [B*F, C, h, w]
Tensor picture_to_clip(const Tensor& picture, std::int64_t frames);              // [B, C, F*h, w]
Tensor picture_to_columns(const Tensor& picture, std::int64_t frames);           // [B, C, F, h*w]

/// Back to [B*F, C, h, w] from clip or columns.
Tensor to_picture(const Tensor& view, std::int64_t frames, std::int64_t h, std::int64_t w);

}  // namespace svd::nn
