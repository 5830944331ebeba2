#include "nn/resnet.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/addcmul.h>
#include <ATen/ops/constant_pad_nd.h>

#include "nn/layout.h"

namespace svd::nn {
namespace {

// Adds one vector a clip to every frame and position. x: [B*F, C, h, w]; time: [B, C].
Tensor add_time(const Tensor& x, const Tensor& time) {
  if (!time.defined()) return x;
  const std::int64_t frames = x.size(0) / time.size(0);
  return x + time.repeat_interleave(frames, 0).unsqueeze(-1).unsqueeze(-1);
}

}  // namespace

ResnetBlock2D::ResnetBlock2D(Module& parent, std::string name, std::int64_t in, std::int64_t out,
                             std::int64_t time_channels, double eps)
    : Module(parent, std::move(name)),
      norm1_(*this, "norm1", in, eps),
      conv1_(*this, "conv1", in, out, 3, 1, 1),
      norm2_(*this, "norm2", out, eps),
      conv2_(*this, "conv2", out, out, 3, 1, 1) {
  if (time_channels > 0) time_emb_proj_.emplace(*this, "time_emb_proj", time_channels, out);
  if (in != out) conv_shortcut_.emplace(*this, "conv_shortcut", in, out, 1);
}

Tensor ResnetBlock2D::forward(const Tensor& picture, const Tensor& time) const {
  Tensor x = conv1_.forward(norm1_.forward_silu(picture));
  x = add_time(x, time);
  x = conv2_.forward(norm2_.forward_silu(x));
  return x + (conv_shortcut_ ? conv_shortcut_->forward(picture) : picture);
}

TemporalResnetBlock::TemporalResnetBlock(Module& parent, std::string name, std::int64_t channels,
                                         std::int64_t time_channels, double eps)
    : Module(parent, std::move(name)),
      norm1_(*this, "norm1", channels, eps),
      conv1_(*this, "conv1", channels, channels),
      norm2_(*this, "norm2", channels, eps),
      conv2_(*this, "conv2", channels, channels) {
  if (time_channels > 0) time_emb_proj_.emplace(*this, "time_emb_proj", time_channels, channels);
}

Tensor TemporalResnetBlock::residual(const Tensor& picture, std::int64_t frames,
                                     const Tensor& time) const {
  Tensor x = conv1_.forward(norm1_.forward_clip_silu(picture, frames), frames);
  x = add_time(x, time);
  return conv2_.forward(norm2_.forward_clip_silu(x, frames), frames);
}

SpatioTemporalResBlock::SpatioTemporalResBlock(Module& parent, std::string name, std::int64_t in,
                                               std::int64_t out, std::int64_t time_channels,
                                               double eps, double temporal_eps, Blend blend)
    : Module(parent, std::move(name)),
      spatial_res_block_(*this, "spatial_res_block", in, out, time_channels, eps),
      temporal_res_block_(*this, "temporal_res_block", out, time_channels, temporal_eps),
      time_mixer_(*this, "time_mixer"),
      blend_(blend) {}

ResBlockConstants SpatioTemporalResBlock::prepare(const Tensor& time) const {
  return {spatial_res_block_.project_time(time), temporal_res_block_.project_time(time)};
}

// Both branches share the spatial result x: a*x + (1-a)*(x+f) = x + (1-a)*f.
Tensor SpatioTemporalResBlock::mix(const Tensor& spatial, const Tensor& temporal_residual) const {
  const Tensor alpha = time_mixer_.alpha();
  return at::addcmul(spatial, temporal_residual,
                     blend_ == Blend::alpha_spatial ? 1 - alpha : alpha);
}

Tensor SpatioTemporalResBlock::forward(const Tensor& picture, std::int64_t frames) const {
  const Tensor x = spatial_res_block_.forward(picture, {});
  return mix(x, temporal_res_block_.residual(x, frames, {}));
}

Tensor SpatioTemporalResBlock::forward(const Tensor& picture, std::int64_t frames,
                                       const ResBlockConstants& constants,
                                       std::int64_t step) const {
  const Tensor x = spatial_res_block_.forward(picture, constants.spatial[step]);
  return mix(x, temporal_res_block_.residual(x, frames, constants.temporal[step]));
}

Downsample2D::Downsample2D(Module& parent, std::string name, std::int64_t channels, Padding padding)
    : Module(parent, std::move(name)),
      padding_(padding),
      conv_(*this, "conv", channels, channels, 3, 2, padding == Padding::symmetric ? 1 : 0) {}

Tensor Downsample2D::forward(const Tensor& picture) const {
  if (padding_ == Padding::symmetric) return conv_.forward(picture);
  return conv_.forward(channels_last(at::constant_pad_nd(picture, {0, 1, 0, 1})));
}

Upsample2D::Upsample2D(Module& parent, std::string name, std::int64_t channels)
    : Module(parent, std::move(name)), conv_(*this, "conv", channels, channels, 3, 1, 1) {}

Tensor Upsample2D::forward(const Tensor& picture) const {
  const std::int64_t n = picture.size(0), c = picture.size(1);
  const std::int64_t h = picture.size(2), w = picture.size(3);
  // Not upsample_nearest2d: on CUDA it returns zeros past 2^31 channels-last elements.
  const Tensor doubled = picture.permute({0, 2, 3, 1})
                             .view({n, h, 1, w, 1, c})
                             .expand({n, h, 2, w, 2, c})
                             .reshape({n, 2 * h, 2 * w, c})
                             .permute({0, 3, 1, 2});  // [N, C, 2h, 2w], channels-last
  return conv_.forward(doubled);
}

}  // namespace svd::nn
