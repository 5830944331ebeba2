#include "nn/resnet.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/addcmul.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <array>
#include <vector>

#include "nn/checkpoint.h"
#include "nn/layout.h"
#include "nn/parts.h"

namespace svd::nn {
namespace {

// The result of a convolution and one vector a clip at every frame and position; a vector that all
// clips share goes into the bias. time: [B, C], [1, C] or undefined.
template <class Convolution, class... Frames>
Tensor convolve_and_add_time(const Convolution& conv, const Tensor& x, const Tensor& time,
                             bool in_bias, Frames... frames) {
  if (!time.defined()) return conv.forward(x, frames...);
  if (time.size(0) == 1 && in_bias) return conv.forward(x, frames..., conv.bias + time[0]);
  const std::int64_t repeats = x.size(0) / time.size(0);
  return conv.forward(x, frames...) +
         time.repeat_interleave(repeats, 0).unsqueeze(-1).unsqueeze(-1);
}

/// Statistics of a group norm from those of parts of its input (Chan, Golub and LeVeque 1983).
class StatisticsOfParts {
 public:
  /// statistics: [N, groups, 2], mean and 1 / sqrt(variance + eps); count: size of the part.
  void add(const Tensor& statistics, std::int64_t count) {
    parts_.push_back(statistics.to(at::kDouble));
    counts_.push_back(static_cast<double>(count));
  }

  Tensor total(double eps) const {
    const Tensor parts = at::stack(parts_, -1);  // [N, groups, 2, parts]
    const Tensor weights = at::tensor(counts_, at::kDouble);
    const Tensor shares = weights / weights.sum();
    const Tensor means = parts.select(2, 0);
    const Tensor mean = (means * shares).sum(-1, true);
    const Tensor variances = parts.select(2, 1).pow(-2) - eps + (means - mean).square();
    const Tensor variance = (variances * shares).sum(-1, true);
    return at::cat({mean, (variance + eps).rsqrt()}, -1).to(at::kFloat);
  }

 private:
  std::vector<Tensor> parts_;
  std::vector<double> counts_;
};

}  // namespace

ResBlockConstants ResBlockConstants::clip(std::int64_t i) const {
  const auto take = [i](const Tensor& x) { return x.size(1) == 1 ? x : x.narrow(1, i, 1); };
  return {take(spatial), take(temporal)};
}

ResBlockConstants ResBlockConstants::at(const Tensor& step) const {
  return {spatial.index_select(0, step), temporal.index_select(0, step)};
}

ShortcutConv::ShortcutConv(Module& parent, std::string name, std::int64_t in, std::int64_t out,
                           std::int64_t skip)
    : Module(parent, std::move(name)),
      skip_(skip),
      from_picture_(*this, "", in - skip, out),
      from_skip_(*this, "", skip, out, Bias::no) {
  register_parameter("weight", {out, in, 1, 1}, &weight_, true);
  register_parameter("bias", {out}, &bias_);
}

void ShortcutConv::fold() {
  const Tensor matrix = weight_.flatten(1);
  const std::int64_t skip = savings_.split_skip ? skip_ : 0;
  from_picture_.weight = matrix.narrow(1, 0, matrix.size(1) - skip).contiguous();
  from_picture_.bias = bias_;
  from_picture_.fold();
  if (skip > 0) {
    from_skip_.weight = matrix.narrow(1, matrix.size(1) - skip, skip).contiguous();
    from_skip_.fold();
  }
  weight_.reset();
}

Tensor ShortcutConv::forward(const ResBlockInput& input) const {
  if (!from_picture_.is_loaded()) {
    const Tensor x = input.skip.defined() ? at::cat({input.picture, input.skip}, 1) : input.picture;
    return channels_last(at::conv2d(x, weight_, bias_));
  }
  const Tensor tokens = picture_to_tokens(input.picture);
  const Tensor sum =
      input.skip.defined()
          ? from_picture_.forward_add(tokens, from_skip_.forward(picture_to_tokens(input.skip)))
          : from_picture_.forward(tokens);
  return tokens_to_picture(sum, input.picture.size(2), input.picture.size(3));
}

ResnetBlock2D::ResnetBlock2D(Module& parent, std::string name, std::int64_t in, std::int64_t out,
                             std::int64_t time_channels, double eps, std::int64_t skip)
    : Module(parent, std::move(name)),
      norm1_(*this, "norm1", in, eps),
      conv1_(*this, "conv1", in, out, 3, 1, 1),
      norm2_(*this, "norm2", out, eps),
      conv2_(*this, "conv2", out, out, 3, 1, 1) {
  set_unit();
  if (time_channels > 0)
    time_emb_proj_.emplace(*this, "time_emb_proj", time_channels, out).set_use(Use::prepare);
  if (in != out) conv_shortcut_.emplace(*this, "conv_shortcut", in, out, skip);
}

void ResnetBlock2D::fold() {
  conv1_.fold();
  conv2_.fold();
  if (conv_shortcut_) conv_shortcut_->fold();
}

Tensor ResnetBlock2D::forward(const ResBlockInput& input, const Tensor& time) const {
  if (input.skip.defined()) {
    if (savings_.split_skip) return compute(input, time);
    return compute({channels_last(at::cat({input.picture, input.skip}, 1)), {}}, time);
  }
  return compute(input, time);
}

Tensor ResnetBlock2D::forward_upsampled(const Tensor& picture, const Upsample2D* before) const {
  const std::int64_t enlarged = before == nullptr ? 1 : 4;
  const auto bytes = enlarged * static_cast<std::int64_t>(picture.nbytes());
  const bool keeps_shape = before == nullptr && !conv_shortcut_;
  return by_pictures(
      picture, bytes,
      [&](const Tensor& part) {
        return compute({before == nullptr ? part : before->forward(part), {}}, {});
      },
      keeps_shape ? picture : Tensor());
}

Tensor ResnetBlock2D::compute(const ResBlockInput& input, const Tensor& time) const {
  Tensor x = convolve_and_add_time(conv1_, norm1_.forward_silu(input.picture, input.skip), time,
                                   savings_.time_in_bias);
  x = norm2_.forward_silu(x);
  return conv2_.forward_add(x, conv_shortcut_ ? conv_shortcut_->forward(input) : input.picture);
}

TemporalResnetBlock::TemporalResnetBlock(Module& parent, std::string name, std::int64_t channels,
                                         std::int64_t time_channels, double eps)
    : Module(parent, std::move(name)),
      norm1_(*this, "norm1", channels, eps),
      conv1_(*this, "conv1", channels, channels),
      norm2_(*this, "norm2", channels, eps),
      conv2_(*this, "conv2", channels, channels) {
  if (time_channels > 0)
    time_emb_proj_.emplace(*this, "time_emb_proj", time_channels, channels).set_use(Use::prepare);
}

void TemporalResnetBlock::fold_with(const AlphaBlender& mixer, AlphaBlender::Share share) {
  if (savings_.folded_blend) {
    conv2_.weight = mixer.scale(conv2_.weight, share);
    conv2_.bias = mixer.scale(conv2_.bias, share);
    share_is_folded_ = true;
  }
  conv1_.fold();
  conv2_.fold();
}

Tensor TemporalResnetBlock::forward(Tensor&& picture, std::int64_t frames, const Tensor& time,
                                    const Tensor& share) const {
  if (share_is_folded_ && !time.defined() && GroupNorm::knows_parts_of(picture)) {
    forward_in_parts(picture, frames);
    return picture;
  }
  Tensor x = convolve_and_add_time(conv1_, norm1_.forward_clip_silu(picture, frames), time,
                                   savings_.time_in_bias, frames);
  x = norm2_.forward_clip_silu(x, frames);
  if (share_is_folded_) return conv2_.forward_add(x, frames, picture);
  return at::addcmul(picture, conv2_.forward(x, frames), share);
}

// The result takes the picture's place. The second norm's statistics are put together from blocks
// of a fixed size, so that they do not depend on how large the parts are, nor on whether what lies
// between the norms is kept or computed twice.
void TemporalResnetBlock::forward_in_parts(Tensor& picture, std::int64_t frames) const {
  picture = channels_last(picture);
  const Tensor columns = picture_to_columns(picture, frames);  // [B, C, F, h*w], the same memory
  const std::int64_t positions = columns.size(3);
  const auto position_bytes = static_cast<std::int64_t>(columns.nbytes()) / positions;
  const std::int64_t block = std::clamp<std::int64_t>(
      part_limits().least_bytes / std::max<std::int64_t>(1, position_bytes), 1, positions);
  const Tensor first_norm = norm1_.statistics(columns);
  const auto compute_hidden = [&](std::int64_t first, std::int64_t count) {
    const Tensor part = columns.narrow(3, first, count);
    return conv1_.forward_columns(norm1_.normalize_silu(part, first_norm), {});
  };

  const Tensor hidden = part_limits().recompute ? Tensor() : at::empty_like(columns);
  StatisticsOfParts statistics;
  const auto first_half = [&](std::int64_t first, std::int64_t count) {
    const Tensor part = compute_hidden(first, count);
    for (std::int64_t i = 0; i < count; i += block) {
      const std::int64_t size = std::min(block, count - i);
      statistics.add(norm2_.statistics(part.narrow(3, i, size)), size);
    }
    if (hidden.defined()) hidden.narrow(3, first, count).copy_(part);
  };
  for_parts(positions, position_bytes, first_half, block);

  const Tensor second_norm = statistics.total(norm2_.eps());
  const auto second_half = [&](std::int64_t first, std::int64_t count) {
    const Tensor part = columns.narrow(3, first, count);
    const Tensor x = norm2_.normalize_silu(
        hidden.defined() ? hidden.narrow(3, first, count) : compute_hidden(first, count),
        second_norm);
    part.copy_(conv2_.forward_columns(x, channels_last(part)));
  };
  for_parts(positions, position_bytes, second_half, block);
}

SpatioTemporalResBlock::SpatioTemporalResBlock(Module& parent, std::string name, std::int64_t in,
                                               std::int64_t out, std::int64_t time_channels,
                                               double eps, double temporal_eps, Blend blend,
                                               std::int64_t skip)
    : Module(parent, std::move(name)),
      spatial_res_block_(*this, "spatial_res_block", in, out, time_channels, eps, skip),
      temporal_res_block_(*this, "temporal_res_block", out, time_channels, temporal_eps),
      time_mixer_(*this, "time_mixer"),
      blend_(blend) {
  set_unit();
}

ResBlockConstants SpatioTemporalResBlock::prepare(const Tensor& time) const {
  return {spatial_res_block_.project_time(time), temporal_res_block_.project_time(time)};
}

void SpatioTemporalResBlock::fold() {
  spatial_res_block_.fold();
  temporal_res_block_.fold_with(time_mixer_, blend_ == Blend::alpha_spatial
                                                 ? AlphaBlender::Share::rest
                                                 : AlphaBlender::Share::alpha);
}

// Both branches share the spatial result x: a*x + (1-a)*(x+f) = x + (1-a)*f.
Tensor SpatioTemporalResBlock::blend(Tensor&& spatial, std::int64_t frames,
                                     const Tensor& time) const {
  const Tensor alpha = time_mixer_.alpha();
  return temporal_res_block_.forward(std::move(spatial), frames, time,
                                     blend_ == Blend::alpha_spatial ? 1 - alpha : alpha);
}

Tensor SpatioTemporalResBlock::forward(Tensor&& picture, std::int64_t frames,
                                       const Upsample2D* before) const {
  Tensor spatial = spatial_res_block_.forward_upsampled(picture, before);
  picture.reset();
  return blend(std::move(spatial), frames, {});
}

Tensor SpatioTemporalResBlock::forward(ResBlockInput&& input, std::int64_t frames,
                                       const ResBlockConstants& constants) const {
  const Tensor &of_spatial = constants.spatial[0], of_temporal = constants.temporal[0];
  if (GradientCheckpointing::is_enabled()) {
    const auto compute = [this, frames](const std::vector<Tensor>& in) {
      return blend(spatial_res_block_.forward({in[0], in[1]}, in[2]), frames, in[3]);
    };
    return checkpoint(compute, {input.picture, input.skip, of_spatial, of_temporal});
  }
  Tensor spatial = spatial_res_block_.forward(input, of_spatial);
  input = {};
  return blend(std::move(spatial), frames, of_temporal);
}

Downsample2D::Downsample2D(Module& parent, std::string name, std::int64_t channels, Padding padding)
    : Module(parent, std::move(name)),
      padding_(padding),
      conv_(*this, "conv", channels, channels, 3, 2, padding == Padding::symmetric ? 1 : 0) {
  set_unit();
}

Tensor Downsample2D::forward(const Tensor& picture) const {
  if (padding_ == Padding::symmetric) return conv_.forward(picture);
  return conv_.forward(channels_last(at::constant_pad_nd(picture, {0, 1, 0, 1})));
}

/// Note: [Phases of an upsampled convolution]
/// A 3x3 convolution of a picture whose pixels were doubled sees every source pixel two times or
/// once, so that taps on the same source pixel can be added up. Along one axis:
///
///     source            ..  y-1      y      y+1 ..
///     even result 2y        w0    w1+w2              taps on y-1, y
///     odd result 2y+1              w0+w1    w2       taps on y, y+1
///
/// Four kernels of 2x2 remain, one for each (even/odd row, even/odd column). With a padding of 1
/// they run as one convolution to 4*C channels over (h+1) x (w+1) places, place t on pixels t-1 and
/// t; an even result reads place y, an odd one place y+1.
Upsample2D::Upsample2D(Module& parent, std::string name, std::int64_t channels)
    : Module(parent, std::move(name)),
      channels_(channels),
      conv_(*this, "conv", channels, channels, 3, 1, 1),
      phases_(*this, "", channels, 4 * channels, 2, 1, 1) {
  set_unit();
}

void Upsample2D::fold() {
  if (!savings_.phase_upsampling) return conv_.fold();
  const at::ScalarType type = conv_.weight.scalar_type();
  const Tensor kernel = conv_.weight.to(at::promote_types(type, at::kFloat));
  conv_.weight.reset();
  // Even: w0, w1+w2; odd: w0+w1, w2; along dimension `dim`.
  const auto taps = [](const Tensor& w, std::int64_t dim, bool odd) {
    const auto tap = [&](std::int64_t i) { return w.narrow(dim, i, 1); };
    return odd ? at::cat({tap(0) + tap(1), tap(2)}, dim) : at::cat({tap(0), tap(1) + tap(2)}, dim);
  };
  phases_.weight = at::empty({4 * channels_, channels_, 2, 2}, kernel.options().dtype(type),
                             at::MemoryFormat::ChannelsLast);
  for (const bool odd_row : {false, true}) {
    const Tensor rows = taps(kernel, 2, odd_row);
    for (const bool odd_column : {false, true}) {
      phases_.weight.narrow(0, (2 * odd_row + odd_column) * channels_, channels_)
          .copy_(taps(rows, 3, odd_column));
    }
  }
  phases_.bias = conv_.bias.repeat({4});
  phases_.fold();
  conv_.release();
}

Tensor Upsample2D::forward(const Tensor& picture) const {
  return by_pictures(picture, 4 * static_cast<std::int64_t>(picture.nbytes()),
                     [this](const Tensor& part) { return compute(part); });
}

Tensor Upsample2D::compute(const Tensor& picture) const {
  const std::int64_t n = picture.size(0), c = channels_;
  const std::int64_t h = picture.size(2), w = picture.size(3);
  if (!phases_.is_loaded()) {
    // Not upsample_nearest2d: on CUDA it returns zeros past 2^31 channels-last elements.
    const Tensor doubled = picture.permute({0, 2, 3, 1})
                               .view({n, h, 1, w, 1, c})
                               .expand({n, h, 2, w, 2, c})
                               .reshape({n, 2 * h, 2 * w, c})
                               .permute({0, 3, 1, 2});  // [N, C, 2h, 2w], channels-last
    return conv_.forward(doubled);
  }
  const Tensor places = phases_.forward(picture).permute({0, 2, 3, 1});  // [N, h+1, w+1, 4*C]
  Tensor out = at::empty({n, h, 2, w, 2, c}, places.options());
  for (std::int64_t row = 0; row < 2; ++row) {
    for (std::int64_t column = 0; column < 2; ++column) {
      const Tensor phase = places.narrow(1, row, h).narrow(2, column, w);
      out.select(2, row).select(3, column).copy_(phase.narrow(3, (2 * row + column) * c, c));
    }
  }
  return out.view({n, 2 * h, 2 * w, c}).permute({0, 3, 1, 2});
}

}  // namespace svd::nn
