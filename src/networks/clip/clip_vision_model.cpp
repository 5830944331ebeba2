#include "networks/clip/clip_vision_model.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/sigmoid.h>

#include "nn/layout.h"
#include "ops/attention.h"

namespace svd::networks {

ClipEncoderLayer::ClipEncoderLayer(nn::Module& parent, std::string name,
                                   const ClipVisionConfig& config)
    : Module(parent, std::move(name)),
      heads_(config.num_attention_heads),
      quick_gelu_(config.hidden_act == "quick_gelu"),
      layer_norm1_(*this, "layer_norm1", config.hidden_size, config.layer_norm_eps),
      self_attn_(*this, "self_attn"),
      q_proj_(self_attn_, "q_proj", config.hidden_size, config.hidden_size),
      k_proj_(self_attn_, "k_proj", config.hidden_size, config.hidden_size),
      v_proj_(self_attn_, "v_proj", config.hidden_size, config.hidden_size),
      out_proj_(self_attn_, "out_proj", config.hidden_size, config.hidden_size),
      layer_norm2_(*this, "layer_norm2", config.hidden_size, config.layer_norm_eps),
      mlp_(*this, "mlp"),
      fc1_(mlp_, "fc1", config.hidden_size, config.intermediate_size),
      fc2_(mlp_, "fc2", config.intermediate_size, config.hidden_size) {
  set_unit();
}

Tensor ClipEncoderLayer::self_attention(const Tensor& x) const {
  const auto heads = [&](const nn::Linear& layer) {
    return layer.forward(x).unflatten(-1, {heads_, x.size(-1) / heads_});
  };
  return out_proj_.forward(ops::attention(heads(q_proj_), heads(k_proj_), heads(v_proj_)));
}

Tensor ClipEncoderLayer::mlp(const Tensor& x) const {
  const Tensor hidden = fc1_.forward(x);
  return fc2_.forward(quick_gelu_ ? hidden * at::sigmoid(1.702 * hidden) : at::gelu(hidden));
}

Tensor ClipEncoderLayer::forward(const Tensor& tokens) const {
  const Tensor x = self_attention(layer_norm1_.forward(tokens)) + tokens;
  return mlp(layer_norm2_.forward(x)) + x;
}

ClipVisionModelWithProjection::ClipVisionModelWithProjection(const ClipVisionConfig& config)
    : patch_size_(config.patch_size),
      vision_model_(*this, "vision_model"),
      embeddings_(vision_model_, "embeddings"),
      patch_embedding_(embeddings_, "patch_embedding"),
      position_embedding_(embeddings_, "position_embedding"),
      pre_layrnorm_(vision_model_, "pre_layrnorm", config.hidden_size, config.layer_norm_eps),
      encoder_(vision_model_, "encoder"),
      layers_(encoder_, "layers"),
      post_layernorm_(vision_model_, "post_layernorm", config.hidden_size, config.layer_norm_eps),
      visual_projection_(*this, "visual_projection", config.hidden_size, config.projection_dim,
                         nn::Bias::no) {
  const std::int64_t side = config.image_size / config.patch_size;
  embeddings_.register_parameter("class_embedding", {config.hidden_size}, &class_embedding_);
  patch_embedding_.register_parameter(
      "weight", {config.hidden_size, config.num_channels, patch_size_, patch_size_}, &patch_weight_,
      true);
  position_embedding_.register_parameter("weight", {1 + side * side, config.hidden_size},
                                         &position_weight_);
  for (int i = 0; i < config.num_hidden_layers; ++i) layers_.emplace(config);
}

Tensor ClipVisionModelWithProjection::embed(const Tensor& pixels) const {
  const Tensor patches =
      nn::picture_to_tokens(nn::channels_last(at::conv2d(pixels, patch_weight_, {}, patch_size_)));
  const Tensor cls = class_embedding_.expand({pixels.size(0), 1, class_embedding_.size(0)});
  return at::cat({cls, patches}, 1) + position_weight_;
}

Tensor ClipVisionModelWithProjection::forward(const Tensor& pixels,
                                              const BeforeUnit& before) const {
  Tensor x = pre_layrnorm_.forward(embed(pixels));
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    before(layers_[i]);
    x = layers_[i].forward(x);
  }
  return visual_projection_.forward(post_layernorm_.forward(x.select(1, 0)));
}

}  // namespace svd::networks
