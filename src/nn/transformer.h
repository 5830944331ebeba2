#pragma once

#include <vector>

#include "nn/attention.h"
#include "nn/embeddings.h"

namespace svd::nn {

/// What is constant over a clip's steps and positions in one transformer (performance notes E1,
/// E4).
struct TransformerConstants {
  std::vector<Tensor> spatial_cross;   // per layer, [B, 1, C]
  std::vector<Tensor> temporal_cross;  // per layer, [B, 1, C]
  Tensor frame_embedding;              // [F, C]
};

/// diffusers: models/attention.py BasicTransformerBlock (self-attention, cross-attention, GEGLU).
/// Keys: norm1..3, attn1, attn2, ff.net.
class BasicTransformerBlock : public Module {
 public:
  BasicTransformerBlock(Module& parent, std::string name, std::int64_t channels,
                        std::int64_t context_channels, std::int64_t heads);
  /// tokens: [B*F, h*w, C]; cross: [B, 1, C] as `attn2.constant` gives it.
  Tensor forward(const Tensor& tokens, const Tensor& cross) const;

  LayerNorm norm1;
  Attention attn1;
  LayerNorm norm2;  // part of the checkpoint; a one-token context does not read it
  Attention attn2;
  LayerNorm norm3;
  FeedForward ff;
};

/// diffusers: models/attention.py TemporalBasicTransformerBlock: self-attention over frames.
/// Keys: norm_in, ff_in.net, norm1..3, attn1, attn2, ff.net.
class TemporalBasicTransformerBlock : public Module {
 public:
  TemporalBasicTransformerBlock(Module& parent, std::string name, std::int64_t channels,
                                std::int64_t context_channels, std::int64_t heads);
  Tensor forward(const Tensor& tokens, std::int64_t frames, const Tensor& cross) const;

  LayerNorm norm_in;
  FeedForward ff_in;
  LayerNorm norm1;
  Attention attn1;
  LayerNorm norm2;
  Attention attn2;
  LayerNorm norm3;
  FeedForward ff;
};

/// diffusers: models/transformers/transformer_temporal.py TransformerSpatioTemporalModel.
/// Keys: norm, proj_in, transformer_blocks.N, temporal_transformer_blocks.N, time_pos_embed,
/// time_mixer, proj_out.
class TransformerSpatioTemporalModel : public Module {
 public:
  TransformerSpatioTemporalModel(Module& parent, std::string name, std::int64_t channels,
                                 std::int64_t layers, std::int64_t context_channels,
                                 std::int64_t heads);

  /// context: [B, 1, context_channels].
  TransformerConstants prepare(const Tensor& context, std::int64_t frames) const;

  /// picture: [B*F, C, h, w] -> same.
  Tensor forward(const Tensor& picture, std::int64_t frames,
                 const TransformerConstants& constants) const;

 private:
  std::int64_t channels_;
  GroupNorm norm_;
  Linear proj_in_;
  ModuleList<BasicTransformerBlock> transformer_blocks_;
  ModuleList<TemporalBasicTransformerBlock> temporal_transformer_blocks_;
  TimestepEmbedding time_pos_embed_;
  AlphaBlender time_mixer_;
  Linear proj_out_;
};

}  // namespace svd::nn
