#include "networks/vae/autoencoder_blocks.h"

#include "nn/layout.h"
#include "nn/parts.h"
#include "ops/attention.h"

namespace svd::networks {

VaeAttention::VaeAttention(nn::Module& parent, std::string name, int channels)
    : Module(parent, std::move(name)),
      group_norm_(*this, "group_norm", channels, 1e-6),
      to_q_(*this, "to_q", channels, channels),
      to_k_(*this, "to_k", channels, channels),
      to_v_(*this, "to_v", channels, channels),
      to_out_(*this, "to_out") {
  set_unit();
  to_out_.emplace(channels, channels);
}

Tensor VaeAttention::forward(const Tensor& picture) const {
  constexpr std::int64_t kTensorsInBetween = 4;  // queries, keys, values, result
  return nn::by_pictures(picture, kTensorsInBetween * static_cast<std::int64_t>(picture.nbytes()),
                         [this](const Tensor& part) { return compute(part); });
}

Tensor VaeAttention::compute(const Tensor& picture) const {
  const Tensor tokens = nn::picture_to_tokens(group_norm_.forward(picture));  // [N, h*w, C]
  const auto one_head = [&](const nn::Linear& layer) { return layer.forward(tokens).unsqueeze(2); };
  const Tensor mixed = ops::attention(one_head(to_q_), one_head(to_k_), one_head(to_v_));
  return nn::tokens_to_picture(to_out_[0].forward_add(mixed, nn::picture_to_tokens(picture)),
                               picture.size(2), picture.size(3));
}

DownEncoderBlock2D::DownEncoderBlock2D(nn::Module& parent, std::string name, int in, int out,
                                       int layers, bool downsample)
    : Module(parent, std::move(name)),
      resnets_(*this, "resnets"),
      downsamplers_(*this, "downsamplers") {
  for (int i = 0; i < layers; ++i) resnets_.emplace(i == 0 ? in : out, out);
  if (downsample) downsamplers_.emplace(out, nn::Downsample2D::Padding::right_bottom);
}

Tensor DownEncoderBlock2D::forward(Tensor x, const BeforeUnit& before) const {
  for (std::size_t i = 0; i < resnets_.size(); ++i) {
    before(resnets_[i]);
    x = resnets_[i].forward(std::move(x), 1);
  }
  if (downsamplers_.size() == 0) return x;
  before(downsamplers_[0]);
  return downsamplers_[0].forward(x);
}

}  // namespace svd::networks
