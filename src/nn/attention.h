#pragma once

#include "nn/layers.h"

namespace svd::nn {

/// diffusers: models/attention_processor.py Attention as SVD's transformers use it: self-attention,
/// or cross-attention to a context of one token. Keys: to_q, to_k, to_v (no bias), to_out.0.
class Attention : public Module {
 public:
  Attention(Module& parent, std::string name, std::int64_t channels, std::int64_t context_channels,
            std::int64_t heads);

  /// Self-attention within each picture, before `project`. tokens: [N, h*w, C] -> same.
  Tensor mix(const Tensor& tokens) const;

  /// The same over the frames at each position: tokens [B*F, h*w, C] are read with strides, never
  /// permuted in memory (Note: [Temporal layout]).
  Tensor mix_temporal(const Tensor& tokens, std::int64_t frames) const;

  /// The last layer, to_out.0, with its bias or `bias`: [..., C] -> same, + other.
  Tensor project_add(const Tensor& mixed, const Tensor& other) const {
    return to_out_[0].forward_add(mixed, other);
  }
  Tensor project_add(const Tensor& mixed, const Tensor& other, const Tensor& bias) const {
    return to_out_[0].forward_add(mixed, other, bias);
  }
  Tensor project(const Tensor& mixed) const { return to_out_[0].forward(mixed); }
  const Tensor& project_bias() const { return to_out_[0].bias; }

  /// Cross-attention to one token: softmax over a single key is 1, so the result does not depend on
  /// the query. context: [B, 1, context_channels] -> [B, 1, C], to be added to every token.
  /// More than one token is refused.
  Tensor constant(const Tensor& context) const;

  /// The same the long way, as published: tokens [N, L, C], context [N, 1, context_channels] ->
  /// [N, L, C].
  Tensor cross(const Tensor& tokens, const Tensor& context) const;

  /// Merges to_q, to_k and to_v of self-attention into one product.
  void fold() override;

  Linear to_q;
  Linear to_k;
  Linear to_v;

 private:
  struct Heads {
    Tensor q, k, v;  // [..., heads, d]
  };
  Heads heads_of(const Tensor& tokens) const;
  Tensor split_heads(const Tensor& x) const;  // [..., C] -> [..., heads, d]

  std::int64_t heads_;
  ModuleList<Linear> to_out_;
  Linear to_qkv_;  // made by fold
};

/// diffusers: models/attention.py FeedForward with GEGLU. Keys: net.0.proj, net.2.
class FeedForward : public Module {
 public:
  FeedForward(Module& parent, std::string name, std::int64_t channels);

  /// [..., C] -> same.
  Tensor forward(const Tensor& x) const { return out_.forward(hidden(x)); }

  /// The same + other.
  Tensor forward_add(const Tensor& x, const Tensor& other) const {
    return out_.forward_add(hidden(x), other);
  }

  /// Splits net.0.proj into its two halves, which become one product with GELU and one that
  /// multiplies by it.
  void fold() override;

  /// Before `fold`: the result, without `other`, is scaled by `share` of `blender`.
  void scale_result(const AlphaBlender& blender, AlphaBlender::Share share);

 private:
  Tensor hidden(const Tensor& x) const;  // [..., 4C]

  Module net_;
  Module geglu_;
  Linear proj_;
  Linear out_;
  Linear value_;  // made by fold, as is gate_
  Linear gate_;
};

}  // namespace svd::nn
