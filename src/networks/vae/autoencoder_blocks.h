#pragma once

#include <functional>

#include "nn/resnet.h"

/// Blocks of the image autoencoder, with and without temporal layers. No time embedding; norms have
/// eps 1e-6, those of the temporal branch 1e-5.
namespace svd::networks {

using nn::BeforeUnit;
using nn::Tensor;

/// diffusers: models/attention_processor.py Attention with one head, group norm and residual.
/// Keys: group_norm, to_q, to_k, to_v, to_out.0.
class VaeAttention : public nn::Module {
 public:
  VaeAttention(nn::Module& parent, std::string name, int channels);
  Tensor forward(const Tensor& picture) const;  // [N, C, h, w] -> same

 private:
  Tensor compute(const Tensor& picture) const;

  nn::GroupNorm group_norm_;
  nn::Linear to_q_;
  nn::Linear to_k_;
  nn::Linear to_v_;
  nn::ModuleList<nn::Linear> to_out_;
};

/// Brings a picture to the size that a block works on, just before its first res block reads it: so
/// that the enlarged picture need not exist whole (Note: [Parts] in nn/parts.h). May be null.
using PendingUpsample = const nn::Upsample2D*;

/// A res block as this autoencoder has it: nn::ResnetBlock2D, or nn::SpatioTemporalResBlock.
class VaeResnet : public nn::ResnetBlock2D {
 public:
  VaeResnet(nn::Module& parent, std::string name, int in, int out)
      : ResnetBlock2D(parent, std::move(name), in, out, 0, 1e-6) {}
  Tensor forward(Tensor&& picture, std::int64_t, PendingUpsample pending = nullptr) const {
    return ResnetBlock2D::forward_upsampled(picture, pending);
  }
};

class VaeTemporalResnet : public nn::SpatioTemporalResBlock {
 public:
  VaeTemporalResnet(nn::Module& parent, std::string name, int in, int out)
      : SpatioTemporalResBlock(parent, std::move(name), in, out, 0, 1e-6, 1e-5,
                               nn::Blend::alpha_temporal) {}
  Tensor forward(Tensor&& picture, std::int64_t frames, PendingUpsample pending = nullptr) const {
    return SpatioTemporalResBlock::forward(std::move(picture), frames, pending);
  }
};

/// diffusers: UNetMidBlock2D (VaeResnet) and MidBlockTemporalDecoder (VaeTemporalResnet).
/// Keys: resnets.N, attentions.0.
template <class Resnet>
class VaeMidBlock : public nn::Module {
 public:
  VaeMidBlock(nn::Module& parent, std::string name, int channels, int layers)
      : Module(parent, std::move(name)),
        attentions_(*this, "attentions"),
        resnets_(*this, "resnets") {
    attentions_.emplace(channels);
    for (int i = 0; i < layers; ++i) resnets_.emplace(channels, channels);
  }

  Tensor forward(Tensor x, std::int64_t frames, const BeforeUnit& before) const {
    before(resnets_[0]);
    x = resnets_[0].forward(std::move(x), frames);
    // As published: as many (attention, resnet) pairs as there are of both.
    for (std::size_t i = 0; i < attentions_.size() && i + 1 < resnets_.size(); ++i) {
      before(attentions_[i]);
      x = attentions_[i].forward(x);
      before(resnets_[i + 1]);
      x = resnets_[i + 1].forward(std::move(x), frames);
    }
    return x;
  }

 private:
  nn::ModuleList<VaeAttention> attentions_;
  nn::ModuleList<Resnet> resnets_;
};

/// diffusers: UpDecoderBlock2D and UpBlockTemporalDecoder. Keys: resnets.N, upsamplers.0.conv.
template <class Resnet>
class VaeUpBlock : public nn::Module {
 public:
  VaeUpBlock(nn::Module& parent, std::string name, int in, int out, int layers, bool upsample)
      : Module(parent, std::move(name)),
        resnets_(*this, "resnets"),
        upsamplers_(*this, "upsamplers") {
    for (int i = 0; i < layers; ++i) resnets_.emplace(i == 0 ? in : out, out);
    if (upsample) upsamplers_.emplace(out).set_kept();  // runs within the next block
  }

  /// `pending`: the upsampler of the block before. This block's own is left to the next.
  Tensor forward(Tensor x, std::int64_t frames, PendingUpsample pending,
                 const BeforeUnit& before) const {
    for (std::size_t i = 0; i < resnets_.size(); ++i) {
      before(resnets_[i]);
      x = resnets_[i].forward(std::move(x), frames, i == 0 ? pending : nullptr);
    }
    return x;
  }
  PendingUpsample upsampler() const { return upsamplers_.size() > 0 ? &upsamplers_[0] : nullptr; }

 private:
  nn::ModuleList<Resnet> resnets_;
  nn::ModuleList<nn::Upsample2D> upsamplers_;
};

/// diffusers: DownEncoderBlock2D. Keys: resnets.N, downsamplers.0.conv.
class DownEncoderBlock2D : public nn::Module {
 public:
  DownEncoderBlock2D(nn::Module& parent, std::string name, int in, int out, int layers,
                     bool downsample);
  Tensor forward(Tensor x, const BeforeUnit& before) const;

 private:
  nn::ModuleList<VaeResnet> resnets_;
  nn::ModuleList<nn::Downsample2D> downsamplers_;
};

}  // namespace svd::networks
