#include "nn/transformer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/lerp.h>
#include <ATen/ops/sigmoid.h>

#include "nn/checkpoint.h"
#include "nn/chunks.h"
#include "nn/layout.h"

namespace svd::nn {
namespace {

// What a block adds to its tokens, and the norm after it.
struct Attentions {
  const Attention& self;
  const LayerNorm& norm2;
  const Attention& cross;
  const LayerNorm& norm3;
};

CrossAttention prepare_cross(const Attention& attention, const Tensor& context, bool constant) {
  if (constant) return {attention.constant(context), {}};
  return {{}, context};
}

// x + self-attention (`mixed`, yet to be projected), then + cross-attention, and the norm of it;
// all of one chunk.
ops::SumAndNorm add_attentions(const Attentions& attentions, const Tensor& mixed, const Tensor& x,
                               const CrossAttention& cross, const Chunk& chunk) {
  const auto with_norm = [&](const Tensor& sum) {
    return ops::SumAndNorm{sum, attentions.norm3.forward(sum)};
  };
  if (!cross.constant.defined()) {
    const Tensor y = attentions.self.project_add(mixed, x);
    const Tensor context =
        cross.context.narrow(0, chunk.clip, chunk.clips).repeat_interleave(chunk.frames, 0);
    return with_norm(attentions.cross.cross(attentions.norm2.forward(y), context) + y);
  }
  if (chunk.is_part) {  // both sums in the product's epilogue
    const Tensor bias = attentions.self.project_bias() + cross.constant[chunk.clip][0];
    return with_norm(attentions.self.project_add(mixed, x, bias));
  }
  return attentions.norm3.add(attentions.self.project(mixed), x, chunk.per_clip(cross.constant));
}

// With one token the softmax is 1, whatever query and key are.
void skip_what_one_token_does_not_read(LayerNorm& norm2, Attention& cross) {
  norm2.set_use(Use::never);
  cross.set_use(Use::prepare);
  cross.to_q.set_use(Use::never);
  cross.to_k.set_use(Use::never);
}

// Chunks pay where products have fused epilogues.
bool chunks_pay(const Savings& savings, const Tensor& weight) {
  return savings.chunked_feed_forward && savings.packed_weights && ops::can_pack(weight);
}

}  // namespace

CrossAttention CrossAttention::clip(std::int64_t i) const {
  const auto take = [i](const Tensor& x) { return x.defined() ? x.narrow(0, i, 1) : x; };
  return {take(constant), take(context)};
}

TransformerConstants TransformerConstants::clip(std::int64_t i) const {
  TransformerConstants out;
  for (const CrossAttention& cross : spatial_cross) out.spatial_cross.push_back(cross.clip(i));
  for (const CrossAttention& cross : temporal_cross) out.temporal_cross.push_back(cross.clip(i));
  out.frame_embedding = frame_embedding;
  return out;
}

BasicTransformerBlock::BasicTransformerBlock(Module& parent, std::string name,
                                             std::int64_t channels, std::int64_t context_channels,
                                             std::int64_t heads)
    : Module(parent, std::move(name)),
      norm1_(*this, "norm1", channels),
      attn1_(*this, "attn1", channels, channels, heads),
      norm2_(*this, "norm2", channels),
      attn2_(*this, "attn2", channels, context_channels, heads),
      norm3_(*this, "norm3", channels),
      ff_(*this, "ff", channels) {
  if (savings_.constant_cross_attention) skip_what_one_token_does_not_read(norm2_, attn2_);
}

CrossAttention BasicTransformerBlock::prepare(const Tensor& context) const {
  return prepare_cross(attn2_, context, savings_.constant_cross_attention);
}

void BasicTransformerBlock::fold() {
  is_chunked_ = chunks_pay(savings_, attn1_.to_q.weight);
  attn1_.fold();
  ff_.fold();
}

Tensor BasicTransformerBlock::forward(const Tensor& tokens, std::int64_t frames,
                                      const CrossAttention& cross) const {
  const Tensor mixed = attn1_.mix(norm1_.forward(tokens));
  return by_chunks(tokens, frames, is_chunked_, [&](const Chunk& chunk) {
    const auto [x, normed] =
        add_attentions({attn1_, norm2_, attn2_, norm3_}, chunk.of(mixed, frames),
                       chunk.of(tokens, frames), cross, chunk);
    return ff_.forward_add(normed, x);
  });
}

TemporalBasicTransformerBlock::TemporalBasicTransformerBlock(Module& parent, std::string name,
                                                             std::int64_t channels,
                                                             std::int64_t context_channels,
                                                             std::int64_t heads)
    : Module(parent, std::move(name)),
      norm_in_(*this, "norm_in", channels),
      ff_in_(*this, "ff_in", channels),
      norm1_(*this, "norm1", channels),
      attn1_(*this, "attn1", channels, channels, heads),
      norm2_(*this, "norm2", channels),
      attn2_(*this, "attn2", channels, context_channels, heads),
      norm3_(*this, "norm3", channels),
      ff_(*this, "ff", channels) {
  if (savings_.constant_cross_attention) skip_what_one_token_does_not_read(norm2_, attn2_);
}

CrossAttention TemporalBasicTransformerBlock::prepare(const Tensor& context) const {
  return prepare_cross(attn2_, context, savings_.constant_cross_attention);
}

void TemporalBasicTransformerBlock::fold_with(const AlphaBlender& mixer) {
  is_chunked_ = chunks_pay(savings_, attn1_.to_q.weight);
  if (savings_.folded_blend) {
    ff_.scale_result(mixer, AlphaBlender::Share::rest);
    folded_alpha_ = at::sigmoid(mixer.mix_factor.to(at::kDouble)).item<double>();
  }
  ff_in_.fold();
  attn1_.fold();
  ff_.fold();
}

Tensor TemporalBasicTransformerBlock::forward(const Tensor& tokens, std::int64_t frames,
                                              const Tensor& frame_embedding,
                                              const CrossAttention& cross,
                                              const AlphaBlender& mixer) const {
  const Tensor x = by_chunks(tokens, frames, is_chunked_, [&](const Chunk& chunk) {
    const auto [placed, normed] =
        norm_in_.add(chunk.of(tokens, frames), {}, chunk.per_frame(frame_embedding));
    return ff_in_.forward_add(normed, placed);
  });
  const Tensor mixed = attn1_.mix_temporal(norm1_.forward(x), frames);
  return by_chunks(tokens, frames, is_chunked_, [&](const Chunk& chunk) {
    const Tensor spatial = chunk.of(tokens, frames);
    const auto [y, normed] =
        add_attentions({attn1_, norm2_, attn2_, norm3_}, chunk.of(mixed, frames),
                       chunk.of(x, frames), cross, chunk);
    if (!folded_alpha_) {
      const Tensor whole = ff_.forward_add(normed, y);
      return at::lerp(whole, spatial.to(whole.scalar_type()),
                      mixer.alpha().to(whole.scalar_type()));
    }
    if (chunk.is_part)  // the sum in the product's epilogue
      return ff_.forward_add(normed, at::lerp(y, spatial, *folded_alpha_));
    return ops::add_blend(ff_.forward(normed), y, spatial, *folded_alpha_);
  });
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
  set_unit();
  time_pos_embed_.set_use(Use::prepare);
  for (std::int64_t i = 0; i < layers; ++i) {
    transformer_blocks_.emplace(channels, context_channels, heads);
    temporal_transformer_blocks_.emplace(channels, context_channels, heads);
  }
}

void TransformerSpatioTemporalModel::fold() {
  proj_in_.fold();
  transformer_blocks_.fold();
  for (std::size_t i = 0; i < temporal_transformer_blocks_.size(); ++i)
    temporal_transformer_blocks_[i].fold_with(time_mixer_);
  proj_out_.fold();
}

TransformerConstants TransformerSpatioTemporalModel::prepare(const Tensor& context,
                                                             std::int64_t frames) const {
  TransformerConstants constants;
  for (std::size_t i = 0; i < transformer_blocks_.size(); ++i) {
    constants.spatial_cross.push_back(transformer_blocks_[i].prepare(context));
    // The temporal context is that of a clip's first frame, and every frame has the same.
    constants.temporal_cross.push_back(temporal_transformer_blocks_[i].prepare(context));
  }
  const Tensor index = at::arange(frames, context.options().dtype(at::kFloat));
  const Tensor sinusoid = timestep_embedding(index, channels_).to(context.scalar_type());
  constants.frame_embedding = time_pos_embed_.forward(sinusoid);  // [F, C]
  return constants;
}

Tensor TransformerSpatioTemporalModel::forward(const Tensor& picture, std::int64_t frames,
                                               const TransformerConstants& constants) const {
  if (!GradientCheckpointing::is_enabled()) return compute(picture, frames, constants);
  std::vector<Tensor> inputs = {picture, constants.frame_embedding};
  for (const auto* const crosses : {&constants.spatial_cross, &constants.temporal_cross})
    for (const CrossAttention& cross : *crosses)
      inputs.insert(inputs.end(), {cross.constant, cross.context});
  const auto again = [this, frames](const std::vector<Tensor>& in) {
    TransformerConstants own{{}, {}, in[1]};
    for (std::size_t i = 2; i < in.size(); i += 2)
      (i < 1 + in.size() / 2 ? own.spatial_cross : own.temporal_cross)
          .push_back({in[i], in[i + 1]});
    return compute(in[0], frames, own);
  };
  return checkpoint(again, std::move(inputs));
}

Tensor TransformerSpatioTemporalModel::compute(const Tensor& picture, std::int64_t frames,
                                               const TransformerConstants& constants) const {
  Tensor x = proj_in_.forward(picture_to_tokens(norm_.forward(picture)));  // [B*F, h*w, C]
  for (std::size_t i = 0; i < transformer_blocks_.size(); ++i) {
    x = transformer_blocks_[i].forward(x, frames, constants.spatial_cross[i]);
    x = temporal_transformer_blocks_[i].forward(x, frames, constants.frame_embedding,
                                                constants.temporal_cross[i], time_mixer_);
  }
  x = proj_out_.forward_add(x, picture_to_tokens(picture));
  return tokens_to_picture(x, picture.size(2), picture.size(3));
}

}  // namespace svd::nn
