#include "nn/attention.h"

#include <ATen/ops/cat.h>
#include <c10/util/Exception.h>

#include <vector>

#include "ops/attention.h"
#include "ops/ops.h"

namespace svd::nn {

Attention::Attention(Module& parent, std::string name, std::int64_t channels,
                     std::int64_t context_channels, std::int64_t heads)
    : Module(parent, std::move(name)),
      to_q(*this, "to_q", channels, channels, Bias::no),
      to_k(*this, "to_k", context_channels, channels, Bias::no),
      to_v(*this, "to_v", context_channels, channels, Bias::no),
      heads_(heads),
      to_out_(*this, "to_out"),
      to_qkv_(*this, "", channels, 3 * channels, Bias::no) {
  to_out_.emplace(channels, channels);
}

void Attention::fold() {
  if (savings_.merged_qkv) {
    to_qkv_.weight = at::cat({to_q.weight, to_k.weight, to_v.weight}, 0);
    for (Linear* const layer : {&to_q, &to_k, &to_v}) layer->weight.reset();
    to_qkv_.fold();
  } else {
    for (Linear* const layer : {&to_q, &to_k, &to_v}) layer->fold();
  }
  to_out_.fold();
}

Tensor Attention::split_heads(const Tensor& x) const {
  return x.unflatten(-1, {heads_, x.size(-1) / heads_});
}

Attention::Heads Attention::heads_of(const Tensor& tokens) const {
  if (!to_qkv_.is_loaded()) {
    return {split_heads(to_q.forward(tokens)), split_heads(to_k.forward(tokens)),
            split_heads(to_v.forward(tokens))};
  }
  const std::vector<Tensor> parts = to_qkv_.forward(tokens).chunk(3, -1);
  return {split_heads(parts[0]), split_heads(parts[1]), split_heads(parts[2])};
}

Tensor Attention::mix(const Tensor& tokens) const {
  const Heads heads = heads_of(tokens);
  return ops::attention(heads.q, heads.k, heads.v);
}

Tensor Attention::mix_temporal(const Tensor& tokens, std::int64_t frames) const {
  const Heads heads = heads_of(tokens);
  const auto clips = [frames](const Tensor& x) {
    return x.unflatten(0, {x.size(0) / frames, frames});
  };  // [B, F, h*w, heads, d]
  return ops::temporal_attention(clips(heads.q), clips(heads.k), clips(heads.v)).flatten(0, 1);
}

Tensor Attention::constant(const Tensor& context) const {
  TORCH_CHECK(context.dim() == 3 && context.size(1) == 1,
              "cross-attention is computed for a context of one token, got shape ",
              context.sizes());
  return to_out_[0].forward(to_v.forward(context));
}

Tensor Attention::cross(const Tensor& tokens, const Tensor& context) const {
  const Tensor mixed =
      ops::attention(split_heads(to_q.forward(tokens)), split_heads(to_k.forward(context)),
                     split_heads(to_v.forward(context)));
  return to_out_[0].forward(mixed);
}

FeedForward::FeedForward(Module& parent, std::string name, std::int64_t channels)
    : Module(parent, std::move(name)),
      net_(*this, "net"),
      geglu_(net_, "0"),
      proj_(geglu_, "proj", channels, 8 * channels),
      out_(net_, "2", 4 * channels, channels),
      value_(*this, "", channels, 4 * channels),
      gate_(*this, "", channels, 4 * channels) {}

void FeedForward::scale_result(const AlphaBlender& blender, AlphaBlender::Share share) {
  out_.weight = blender.scale(out_.weight, share);
  out_.bias = blender.scale(out_.bias, share);
}

void FeedForward::fold() {
  if (savings_.packed_weights && ops::can_pack(proj_.weight)) {
    const std::int64_t hidden = proj_.weight.size(0) / 2;
    const auto take = [&](Linear& layer, std::int64_t begin) {
      layer.weight = proj_.weight.narrow(0, begin, hidden);
      layer.bias = proj_.bias.narrow(0, begin, hidden).clone();
      layer.fold();
    };
    take(value_, 0);
    take(gate_, hidden);
    proj_.weight.reset();
    proj_.bias.reset();
  }
  out_.fold();
}

Tensor FeedForward::hidden(const Tensor& x) const {
  return value_.is_loaded() ? value_.forward_multiply(x, gate_.forward_gelu(x))
                            : ops::geglu(proj_.forward(x));
}

}  // namespace svd::nn
