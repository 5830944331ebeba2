#pragma once

#include "base/model_config.h"
#include "nn/layers.h"

namespace svd::networks {

using nn::BeforeUnit;
using nn::Tensor;

/// transformers: models/clip/modeling_clip.py CLIPEncoderLayer.
/// Keys: layer_norm1, self_attn.{q,k,v,out}_proj, layer_norm2, mlp.fc1, mlp.fc2.
class ClipEncoderLayer : public nn::Module {
 public:
  ClipEncoderLayer(nn::Module& parent, std::string name, const ClipVisionConfig& config);
  Tensor forward(const Tensor& tokens) const;  // [B, tokens, hidden] -> same

 private:
  Tensor self_attention(const Tensor& x) const;
  Tensor mlp(const Tensor& x) const;

  std::int64_t heads_;
  bool quick_gelu_;
  nn::LayerNorm layer_norm1_;
  nn::Module self_attn_;
  nn::Linear q_proj_;
  nn::Linear k_proj_;
  nn::Linear v_proj_;
  nn::Linear out_proj_;
  nn::LayerNorm layer_norm2_;
  nn::Module mlp_;
  nn::Linear fc1_;
  nn::Linear fc2_;
};

/// transformers: CLIPVisionModelWithProjection, here OpenCLIP's ViT-H/14 image tower.
/// Keys: vision_model.{embeddings, pre_layrnorm (sic), encoder.layers.N, post_layernorm},
/// visual_projection (single file: conditioner.embedders.0.open_clip.model.visual.*).
class ClipVisionModelWithProjection : public nn::Module {
 public:
  explicit ClipVisionModelWithProjection(const ClipVisionConfig& config);

  /// pixels: [B, 3, image_size, image_size], normalised -> image_embeds [B, projection_dim], not of
  /// unit length. `before` is called with every layer.
  Tensor forward(const Tensor& pixels, const BeforeUnit& before) const;

 private:
  Tensor embed(const Tensor& pixels) const;  // [B, 1 + patches, hidden]

  std::int64_t patch_size_;
  nn::Module vision_model_;
  nn::Module embeddings_;
  Tensor class_embedding_;  // [hidden]
  nn::Module patch_embedding_;
  Tensor patch_weight_;  // [hidden, 3, patch, patch], no bias
  nn::Module position_embedding_;
  Tensor position_weight_;  // [1 + patches, hidden]
  nn::LayerNorm pre_layrnorm_;
  nn::Module encoder_;
  nn::ModuleList<ClipEncoderLayer> layers_;
  nn::LayerNorm post_layernorm_;
  nn::Linear visual_projection_;
};

}  // namespace svd::networks
