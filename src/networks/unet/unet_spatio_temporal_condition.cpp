#include "networks/unet/unet_spatio_temporal_condition.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/silu.h>

#include "nn/layout.h"

namespace svd::networks {
namespace {

BlockShape shape_of_level(const UNetConfig& config, std::size_t level) {
  BlockShape shape;
  shape.layers = config.layers_per_block[level];
  shape.transformer_layers = config.transformer_layers_per_block[level];
  shape.context_channels = config.cross_attention_dim[level];
  shape.heads = config.num_attention_heads[level];
  shape.time_channels = 4 * config.block_out_channels.front();
  return shape;
}

BlockShape mid_shape(const UNetConfig& config, const UNetNormEps& eps) {
  BlockShape shape = shape_of_level(config, config.block_out_channels.size() - 1);
  shape.eps = eps.mid;
  return shape;
}

template <class Part>
ClipContext parts_of(const ClipContext& context, const Part& part) {
  ClipContext out;
  out.frames = context.frames;
  for (const BlockConstants& block : context.down) out.down.push_back(part(block));
  out.mid = part(context.mid);
  for (const BlockConstants& block : context.up) out.up.push_back(part(block));
  return out;
}

bool has_attention(const std::string& block_type) { return block_type.starts_with("CrossAttn"); }

}  // namespace

InputConv::InputConv(nn::Module& parent, std::string name, std::int64_t in, std::int64_t out)
    : Module(parent, std::move(name)),
      noise_(*this, "", in / 2, out, 3, 1, 1),
      picture_(*this, "", in - in / 2, out, 3, 1, 1, nn::Bias::no),
      whole_(*this, "", in, out, 3, 1, 1) {
  register_parameter("weight", {out, in, 3, 3}, &weight_, true);
  register_parameter("bias", {out}, &bias_);
}

void InputConv::fold() {
  const auto take = [&](nn::Conv2d& conv, std::int64_t begin, std::int64_t count) {
    conv.weight = nn::channels_last(weight_.narrow(1, begin, count));
    conv.fold();
  };
  const std::int64_t in = weight_.size(1);
  if (savings_.split_input) {
    take(noise_, 0, in / 2);
    take(picture_, in / 2, in - in / 2);
    noise_.bias = bias_;
  } else {
    take(whole_, 0, in);
    whole_.bias = bias_;
  }
  weight_.reset();
}

Tensor InputConv::forward(const Tensor& sample) const {
  if (is_parted()) {
    const std::int64_t noisy = sample.size(1) / 2;
    return of_noise(nn::channels_last(sample.narrow(1, 0, noisy))) +
           of_picture(nn::channels_last(sample.narrow(1, noisy, sample.size(1) - noisy)));
  }
  return whole_.is_loaded() ? whole_.forward(sample) : at::conv2d(sample, weight_, bias_, 1, 1);
}

ClipContext ClipContext::clip(std::int64_t i) const {
  return parts_of(*this, [i](const BlockConstants& block) { return block.clip(i); });
}

ClipContext ClipContext::at(const Tensor& step) const {
  return parts_of(*this, [&](const BlockConstants& block) { return block.at(step); });
}

UNetSpatioTemporalConditionModel::UNetSpatioTemporalConditionModel(const UNetConfig& config,
                                                                   const UNetNormEps& eps)
    : config_(config),
      conv_in_(*this, "conv_in", config.in_channels, config.block_out_channels.front()),
      time_embedding_(*this, "time_embedding", config.block_out_channels.front(),
                      4 * config.block_out_channels.front(), 4 * config.block_out_channels.front()),
      add_embedding_(*this, "add_embedding", config.projection_class_embeddings_input_dim,
                     4 * config.block_out_channels.front(), 4 * config.block_out_channels.front()),
      down_blocks_(*this, "down_blocks"),
      mid_block_(*this, "mid_block", config.block_out_channels.back(), mid_shape(config, eps)),
      up_blocks_(*this, "up_blocks"),
      conv_norm_out_(*this, "conv_norm_out", config.block_out_channels.front(), 1e-5),
      conv_out_(*this, "conv_out", config.block_out_channels.front(), config.out_channels, 3, 1,
                1) {
  time_embedding_.set_use(nn::Use::prepare);
  add_embedding_.set_use(nn::Use::prepare);
  const auto& channels = config.block_out_channels;
  const std::size_t levels = channels.size();
  for (std::size_t i = 0; i < levels; ++i) {
    BlockShape shape = shape_of_level(config, i);
    shape.attention = has_attention(config.down_block_types[i]);
    shape.eps = shape.attention ? eps.down_with_attention : eps.down_plain;
    shape.resample = i + 1 < levels;
    down_blocks_.emplace(channels[i == 0 ? 0 : i - 1], channels[i], shape);
  }
  for (std::size_t i = 0; i < levels; ++i) {
    const std::size_t level = levels - 1 - i;
    BlockShape shape = shape_of_level(config, level);
    shape.layers += 1;
    shape.attention = has_attention(config.up_block_types[i]);
    shape.eps = eps.up;
    shape.resample = i + 1 < levels;
    const int previous = channels[i == 0 ? level : level + 1];
    up_blocks_.emplace(channels[level == 0 ? 0 : level - 1], previous, channels[level], shape);
  }
}

ClipContext UNetSpatioTemporalConditionModel::prepare(const Tensor& embeds,
                                                      const Tensor& added_time_ids,
                                                      std::int64_t frames, const Tensor& timesteps,
                                                      const BeforeUnit& before) const {
  const auto dtype = embeds.scalar_type();
  const Tensor steps =
      nn::timestep_embedding(timesteps.flatten(), config_.block_out_channels.front())
          .unflatten(0, {timesteps.size(0), -1});  // [steps, 1 or B, C]
  const Tensor ids =
      nn::timestep_embedding(added_time_ids.flatten(), config_.addition_time_embed_dim)
          .reshape({added_time_ids.size(0), -1});
  before(time_embedding_);
  const Tensor of_steps = time_embedding_.forward(steps.to(dtype));
  before(add_embedding_);
  const Tensor embedding =
      of_steps + add_embedding_.forward(ids.to(dtype)).unsqueeze(0);  // [steps, B, C], B of the ids
  const Tensor time = at::silu(embedding);

  ClipContext context;
  context.frames = frames;
  for (std::size_t i = 0; i < down_blocks_.size(); ++i)
    context.down.push_back(down_blocks_[i].prepare(time, embeds, frames, before));
  context.mid = mid_block_.prepare(time, embeds, frames, before);
  for (std::size_t i = 0; i < up_blocks_.size(); ++i)
    context.up.push_back(up_blocks_[i].prepare(time, embeds, frames, before));
  return context;
}

Tensor UNetSpatioTemporalConditionModel::embed(const Tensor& sample) const {
  return conv_in_.forward(nn::channels_last(sample.flatten(0, 1)))
      .unflatten(0, {sample.size(0), sample.size(1)});
}

Tensor UNetSpatioTemporalConditionModel::features(const Tensor& embedded,
                                                  const ClipContext& context,
                                                  const BeforeUnit& before) const {
  const std::int64_t frames = context.frames;
  Tensor x = nn::channels_last(embedded.flatten(0, 1));  // [B*F, C, h, w]
  std::vector<Tensor> skips = {x};
  for (std::size_t i = 0; i < down_blocks_.size(); ++i)
    x = down_blocks_[i].forward(std::move(x), frames, context.down[i], skips, before);
  x = mid_block_.forward(std::move(x), frames, context.mid, before);
  for (std::size_t i = 0; i < up_blocks_.size(); ++i)
    x = up_blocks_[i].forward(std::move(x), frames, context.up[i], skips, before);
  return conv_norm_out_.forward_silu(x).unflatten(0, {embedded.size(0), frames});
}

Tensor UNetSpatioTemporalConditionModel::project(const Tensor& features) const {
  return conv_out_.forward(nn::channels_last(features.flatten(0, 1)))
      .unflatten(0, {features.size(0), features.size(1)});
}

}  // namespace svd::networks
