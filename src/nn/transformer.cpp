#include "nn/transformer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/lerp.h>

#include "nn/layout.h"

namespace svd::nn {
namespace {

// x: [B*F, h*w, C] + constant [B, 1, C] of each clip.
Tensor add_per_clip(const Tensor& x, const Tensor& constant) {
  const std::int64_t batch = constant.size(0);
  return (x.unflatten(0, {batch, x.size(0) / batch}) + constant.unsqueeze(1)).flatten(0, 1);
}

}  // namespace

BasicTransformerBlock::BasicTransformerBlock(Module& parent, std::string name,
                                             std::int64_t channels, std::int64_t context_channels,
                                             std::int64_t heads)
    : Module(parent, std::move(name)),
      norm1(*this, "norm1", channels),
      attn1(*this, "attn1", channels, channels, heads),
      norm2(*this, "norm2", channels),
      attn2(*this, "attn2", channels, context_channels, heads),
      norm3(*this, "norm3", channels),
      ff(*this, "ff", channels) {}

Tensor BasicTransformerBlock::forward(const Tensor& tokens, const Tensor& cross) const {
  Tensor x = attn1.forward(norm1.forward(tokens)) + tokens;
  x = add_per_clip(x, cross);
  return ff.forward(norm3.forward(x)) + x;
}

TemporalBasicTransformerBlock::TemporalBasicTransformerBlock(Module& parent, std::string name,
                                                             std::int64_t channels,
                                                             std::int64_t context_channels,
                                                             std::int64_t heads)
    : Module(parent, std::move(name)),
      norm_in(*this, "norm_in", channels),
      ff_in(*this, "ff_in", channels),
      norm1(*this, "norm1", channels),
      attn1(*this, "attn1", channels, channels, heads),
      norm2(*this, "norm2", channels),
      attn2(*this, "attn2", channels, context_channels, heads),
      norm3(*this, "norm3", channels),
      ff(*this, "ff", channels) {}

Tensor TemporalBasicTransformerBlock::forward(const Tensor& tokens, std::int64_t frames,
                                              const Tensor& cross) const {
  Tensor x = ff_in.forward(norm_in.forward(tokens)) + tokens;
  x = attn1.forward_temporal(norm1.forward(x), frames) + x;
  x = add_per_clip(x, cross);
  return ff.forward(norm3.forward(x)) + x;
}

TransformerSpatioTemporalModel::TransformerSpatioTemporalModel(Module& parent, std::string name,
                                                               std::int64_t channels,
                                                               std::int64_t layers,
                                                               std::int64_t context_channels,
                                                               std::int64_t heads)
    : Module(parent, std::move(name)),
      channels_(channels),
      norm_(*this, "norm", channels, 1e-6),
      proj_in_(*this, "proj_in", channels, channels),
      transformer_blocks_(*this, "transformer_blocks"),
      temporal_transformer_blocks_(*this, "temporal_transformer_blocks"),
      time_pos_embed_(*this, "time_pos_embed", channels, 4 * channels, channels),
      time_mixer_(*this, "time_mixer"),
      proj_out_(*this, "proj_out", channels, channels) {
  for (std::int64_t i = 0; i < layers; ++i) {
    transformer_blocks_.emplace(channels, context_channels, heads);
    temporal_transformer_blocks_.emplace(channels, context_channels, heads);
  }
}

TransformerConstants TransformerSpatioTemporalModel::prepare(const Tensor& context,
                                                             std::int64_t frames) const {
  TransformerConstants constants;
  for (std::size_t i = 0; i < transformer_blocks_.size(); ++i) {
    constants.spatial_cross.push_back(transformer_blocks_[i].attn2.constant(context));
    // The temporal context is that of a clip's first frame, and every frame has the same.
    constants.temporal_cross.push_back(temporal_transformer_blocks_[i].attn2.constant(context));
  }
  const Tensor index = at::arange(frames, context.options().dtype(at::kFloat));
  const Tensor sinusoid = timestep_embedding(index, channels_).to(context.scalar_type());
  constants.frame_embedding = time_pos_embed_.forward(sinusoid);  // [F, C]
  return constants;
}

Tensor TransformerSpatioTemporalModel::forward(const Tensor& picture, std::int64_t frames,
                                               const TransformerConstants& constants) const {
  const std::int64_t batch = picture.size(0) / frames;
  const Tensor frame_embedding = constants.frame_embedding.unsqueeze(1);  // [F, 1, C]
  const Tensor alpha = time_mixer_.alpha();

  Tensor x = proj_in_.forward(picture_to_tokens(norm_.forward(picture)));  // [B*F, h*w, C]
  for (std::size_t i = 0; i < transformer_blocks_.size(); ++i) {
    x = transformer_blocks_[i].forward(x, constants.spatial_cross[i]);
    Tensor mix = (x.unflatten(0, {batch, frames}) + frame_embedding).flatten(0, 1);
    mix = temporal_transformer_blocks_[i].forward(mix, frames, constants.temporal_cross[i]);
    x = at::lerp(mix, x, alpha);  // alpha * x + (1 - alpha) * mix
  }
  x = proj_out_.forward(x);
  return tokens_to_picture(x, picture.size(2), picture.size(3)) + picture;
}

}  // namespace svd::nn
