#include "networks/unet/unet_blocks.h"

namespace svd::networks {
namespace {

using Attentions = nn::ModuleList<nn::TransformerSpatioTemporalModel>;
using Resnets = nn::ModuleList<nn::SpatioTemporalResBlock>;

BlockConstants prepare_layers(const Resnets& resnets, const Attentions& attentions,
                              const Tensor& time, const Tensor& context, std::int64_t frames,
                              const BeforeUnit& before) {
  BlockConstants constants;
  for (std::size_t i = 0; i < resnets.size(); ++i) {
    before(resnets[i]);
    constants.resnets.push_back(resnets[i].prepare(time));
  }
  for (std::size_t i = 0; i < attentions.size(); ++i) {
    before(attentions[i]);
    constants.attentions.push_back(attentions[i].prepare(context, frames));
  }
  return constants;
}

void add_resnet(Resnets& resnets, int in, int out, const BlockShape& shape, int skip = 0) {
  resnets.emplace(in, out, shape.time_channels, shape.eps, shape.eps, nn::Blend::alpha_spatial,
                  skip);
}

void add_attention(Attentions& attentions, int channels, const BlockShape& shape) {
  attentions.emplace(channels, shape.transformer_layers, shape.context_channels, shape.heads);
}

}  // namespace

BlockConstants BlockConstants::clip(std::int64_t i) const {
  BlockConstants out;
  for (const nn::ResBlockConstants& resnet : resnets) out.resnets.push_back(resnet.clip(i));
  for (const nn::TransformerConstants& attention : attentions)
    out.attentions.push_back(attention.clip(i));
  return out;
}

BlockConstants BlockConstants::at(const Tensor& step) const {
  BlockConstants out;
  for (const nn::ResBlockConstants& resnet : resnets) out.resnets.push_back(resnet.at(step));
  out.attentions = attentions;
  return out;
}

DownBlockSpatioTemporal::DownBlockSpatioTemporal(nn::Module& parent, std::string name, int in,
                                                 int out, const BlockShape& shape)
    : Module(parent, std::move(name)),
      attentions_(*this, "attentions"),
      resnets_(*this, "resnets"),
      downsamplers_(*this, "downsamplers") {
  for (int i = 0; i < shape.layers; ++i) {
    add_resnet(resnets_, i == 0 ? in : out, out, shape);
    if (shape.attention) add_attention(attentions_, out, shape);
  }
  if (shape.resample) downsamplers_.emplace(out, nn::Downsample2D::Padding::symmetric);
}

BlockConstants DownBlockSpatioTemporal::prepare(const Tensor& time, const Tensor& context,
                                                std::int64_t frames,
                                                const BeforeUnit& before) const {
  return prepare_layers(resnets_, attentions_, time, context, frames, before);
}

Tensor DownBlockSpatioTemporal::forward(Tensor x, std::int64_t frames,
                                        const BlockConstants& constants, std::vector<Tensor>& skips,
                                        const BeforeUnit& before) const {
  for (std::size_t i = 0; i < resnets_.size(); ++i) {
    before(resnets_[i]);
    x = resnets_[i].forward({std::move(x), {}}, frames, constants.resnets[i]);
    if (i < attentions_.size()) {
      before(attentions_[i]);
      x = attentions_[i].forward(x, frames, constants.attentions[i]);
    }
    skips.push_back(x);
  }
  if (downsamplers_.size() > 0) {
    before(downsamplers_[0]);
    x = downsamplers_[0].forward(x);
    skips.push_back(x);
  }
  return x;
}

UNetMidBlockSpatioTemporal::UNetMidBlockSpatioTemporal(nn::Module& parent, std::string name,
                                                       int channels, const BlockShape& shape)
    : Module(parent, std::move(name)),
      attentions_(*this, "attentions"),
      resnets_(*this, "resnets") {
  add_resnet(resnets_, channels, channels, shape);
  add_attention(attentions_, channels, shape);
  add_resnet(resnets_, channels, channels, shape);
}

BlockConstants UNetMidBlockSpatioTemporal::prepare(const Tensor& time, const Tensor& context,
                                                   std::int64_t frames,
                                                   const BeforeUnit& before) const {
  return prepare_layers(resnets_, attentions_, time, context, frames, before);
}

Tensor UNetMidBlockSpatioTemporal::forward(Tensor x, std::int64_t frames,
                                           const BlockConstants& constants,
                                           const BeforeUnit& before) const {
  before(resnets_[0]);
  x = resnets_[0].forward({std::move(x), {}}, frames, constants.resnets[0]);
  before(attentions_[0]);
  x = attentions_[0].forward(x, frames, constants.attentions[0]);
  before(resnets_[1]);
  return resnets_[1].forward({std::move(x), {}}, frames, constants.resnets[1]);
}

UpBlockSpatioTemporal::UpBlockSpatioTemporal(nn::Module& parent, std::string name, int in,
                                             int previous, int out, const BlockShape& shape)
    : Module(parent, std::move(name)),
      attentions_(*this, "attentions"),
      resnets_(*this, "resnets"),
      upsamplers_(*this, "upsamplers") {
  for (int i = 0; i < shape.layers; ++i) {
    const int from_below = i == 0 ? previous : out;
    const int from_skip = i == shape.layers - 1 ? in : out;
    add_resnet(resnets_, from_below + from_skip, out, shape, from_skip);
    if (shape.attention) add_attention(attentions_, out, shape);
  }
  if (shape.resample) upsamplers_.emplace(out);
}

BlockConstants UpBlockSpatioTemporal::prepare(const Tensor& time, const Tensor& context,
                                              std::int64_t frames, const BeforeUnit& before) const {
  return prepare_layers(resnets_, attentions_, time, context, frames, before);
}

Tensor UpBlockSpatioTemporal::forward(Tensor x, std::int64_t frames,
                                      const BlockConstants& constants, std::vector<Tensor>& skips,
                                      const BeforeUnit& before) const {
  for (std::size_t i = 0; i < resnets_.size(); ++i) {
    before(resnets_[i]);
    nn::ResBlockInput input{std::move(x), std::move(skips.back())};
    skips.pop_back();
    x = resnets_[i].forward(std::move(input), frames, constants.resnets[i]);
    if (i < attentions_.size()) {
      before(attentions_[i]);
      x = attentions_[i].forward(x, frames, constants.attentions[i]);
    }
  }
  if (upsamplers_.size() == 0) return x;
  before(upsamplers_[0]);
  return upsamplers_[0].forward(x);
}

}  // namespace svd::networks
