#pragma once

#include "nn/layers.h"

namespace svd::nn {

/// softmax(q k^T / sqrt(d)) v for q, k, v of shape [N, heads, length, d] in any strides.
/// Result [N, length, heads * d].
Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v);

/// diffusers: models/attention_processor.py Attention as SVD's transformers use it: self-attention,
/// or cross-attention to a context of one token. Keys: to_q, to_k, to_v (no bias), to_out.0.
class Attention : public Module {
 public:
  Attention(Module& parent, std::string name, std::int64_t channels, std::int64_t context_channels,
            std::int64_t heads);

  /// Within each picture. tokens: [N, h*w, C] -> same.
  Tensor forward(const Tensor& tokens) const;

  /// Over the frames at each position: tokens [B*F, h*w, C] are read with strides, never permuted
  /// in memory (Note: [Temporal layout]).
  Tensor forward_temporal(const Tensor& tokens, std::int64_t frames) const;

  /// Cross-attention to one token: softmax over a single key is 1, so the result does not depend on
  /// the query. context: [B, 1, context_channels] -> [B, 1, C], to be added to every token.
  /// More than one token is refused.
  Tensor constant(const Tensor& context) const;

  Linear to_q;
  Linear to_k;
  Linear to_v;

 private:
  Tensor split_heads(const Tensor& x) const;  // [..., C] -> [..., heads, d]

  std::int64_t heads_;
  ModuleList<Linear> to_out_;
};

/// diffusers: models/attention.py FeedForward with GEGLU. Keys: net.0.proj, net.2. [..., C] ->
/// same.
class FeedForward : public Module {
 public:
  FeedForward(Module& parent, std::string name, std::int64_t channels);
  Tensor forward(const Tensor& x) const;

 private:
  Module net_;
  Module geglu_;
  Linear proj_;
  Linear out_;
};

}  // namespace svd::nn
