#pragma once

#include <optional>
#include <vector>

#include "nn/attention.h"
#include "nn/embeddings.h"

namespace svd::nn {

/// Cross-attention to a clip's one context token: what it adds to every token, or, with
/// Savings::constant_cross_attention off, the token.
struct CrossAttention {
  Tensor constant;  ///< [B, 1, C]
  Tensor context;   ///< [B, 1, context_channels]

  CrossAttention clip(std::int64_t i) const;  ///< of one of the clips
};

/// What is constant over a clip's steps and positions in one transformer.
struct TransformerConstants {
  std::vector<CrossAttention> spatial_cross;   ///< per layer
  std::vector<CrossAttention> temporal_cross;  ///< per layer
  Tensor frame_embedding;                      ///< [F, C]

  TransformerConstants clip(std::int64_t i) const;  ///< of one of the clips
};

/// diffusers: models/attention.py BasicTransformerBlock (self-attention, cross-attention, GEGLU).
/// Keys: norm1..3, attn1, attn2, ff.net.
class BasicTransformerBlock : public Module {
 public:
  BasicTransformerBlock(Module& parent, std::string name, std::int64_t channels,
                        std::int64_t context_channels, std::int64_t heads);
  CrossAttention prepare(const Tensor& context) const;

  /// tokens: [B*F, h*w, C] -> same.
  Tensor forward(const Tensor& tokens, std::int64_t frames, const CrossAttention& cross) const;
  void fold() override;

 private:
  LayerNorm norm1_;
  Attention attn1_;
  LayerNorm norm2_;  // part of the checkpoint; a one-token context does not read it
  Attention attn2_;
  LayerNorm norm3_;
  FeedForward ff_;
  bool is_chunked_ = false;
};

/// diffusers: models/attention.py TemporalBasicTransformerBlock: self-attention over frames.
/// Keys: norm_in, ff_in.net, norm1..3, attn1, attn2, ff.net.
class TemporalBasicTransformerBlock : public Module {
 public:
  TemporalBasicTransformerBlock(Module& parent, std::string name, std::int64_t channels,
                                std::int64_t context_channels, std::int64_t heads);
  CrossAttention prepare(const Tensor& context) const;

  /// The block on tokens + frame_embedding ([F, C]), blended with its input:
  /// alpha * tokens + (1 - alpha) * block(tokens + frame_embedding), alpha that of `mixer`.
  /// tokens: [B*F, h*w, C] -> same.
  Tensor forward(const Tensor& tokens, std::int64_t frames, const Tensor& frame_embedding,
                 const CrossAttention& cross, const AlphaBlender& mixer) const;

  /// 1 - alpha goes into the feed-forward's last layer.
  void fold_with(const AlphaBlender& mixer);

 private:
  LayerNorm norm_in_;
  FeedForward ff_in_;
  LayerNorm norm1_;
  Attention attn1_;
  LayerNorm norm2_;
  Attention attn2_;
  LayerNorm norm3_;
  FeedForward ff_;
  bool is_chunked_ = false;
  std::optional<double> folded_alpha_;
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
  void fold() override;

 private:
  Tensor compute(const Tensor& picture, std::int64_t frames,
                 const TransformerConstants& constants) const;

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
