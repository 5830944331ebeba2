#include "nn/attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/stack.h>
#include <c10/util/Exception.h>

#include <vector>

#include "ops/ops.h"

namespace svd::nn {

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v) {
  const Tensor out = at::scaled_dot_product_attention(q, k, v);  // [N, heads, length, d]
  return out.transpose(1, 2).reshape({q.size(0), q.size(2), q.size(1) * q.size(3)});
}

Attention::Attention(Module& parent, std::string name, std::int64_t channels,
                     std::int64_t context_channels, std::int64_t heads)
    : Module(parent, std::move(name)),
      to_q(*this, "to_q", channels, channels, Bias::no),
      to_k(*this, "to_k", context_channels, channels, Bias::no),
      to_v(*this, "to_v", context_channels, channels, Bias::no),
      heads_(heads),
      to_out_(*this, "to_out") {
  to_out_.emplace(channels, channels);
}

Tensor Attention::split_heads(const Tensor& x) const {
  return x.unflatten(-1, {heads_, x.size(-1) / heads_});
}

Tensor Attention::forward(const Tensor& tokens) const {
  const auto heads_first = [this](const Tensor& x) { return split_heads(x).transpose(1, 2); };
  const Tensor mixed =
      attention(heads_first(to_q.forward(tokens)), heads_first(to_k.forward(tokens)),
                heads_first(to_v.forward(tokens)));
  return to_out_[0].forward(mixed);
}

Tensor Attention::forward_temporal(const Tensor& tokens, std::int64_t frames) const {
  const std::int64_t batch = tokens.size(0) / frames;
  const auto clips = [&](const Linear& layer) {
    return split_heads(layer.forward(tokens)).unflatten(0, {batch, frames});
  };  // [B, F, h*w, heads, d]
  const Tensor q = clips(to_q), k = clips(to_k), v = clips(to_v);

  std::vector<Tensor> mixed;
  for (std::int64_t b = 0; b < batch; ++b) {
    const auto positions_first = [b](const Tensor& x) { return x[b].permute({1, 2, 0, 3}); };
    const Tensor clip = attention(positions_first(q), positions_first(k), positions_first(v));
    mixed.push_back(clip.transpose(0, 1));  // [h*w, F, C] -> [F, h*w, C]
  }
  return to_out_[0].forward(at::cat(mixed, 0));
}

Tensor Attention::constant(const Tensor& context) const {
  TORCH_CHECK(context.dim() == 3 && context.size(1) == 1,
              "cross-attention is computed for a context of one token, got shape ",
              context.sizes());
  return to_out_[0].forward(to_v.forward(context));
}

FeedForward::FeedForward(Module& parent, std::string name, std::int64_t channels)
    : Module(parent, std::move(name)),
      net_(*this, "net"),
      geglu_(net_, "0"),
      proj_(geglu_, "proj", channels, 8 * channels),
      out_(net_, "2", 4 * channels, channels) {}

Tensor FeedForward::forward(const Tensor& x) const {
  return out_.forward(ops::geglu(proj_.forward(x)));
}

}  // namespace svd::nn
