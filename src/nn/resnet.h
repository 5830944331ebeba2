#pragma once

#include <optional>

#include "nn/layers.h"

namespace svd::nn {

/// Time-embedding projections of one SpatioTemporalResBlock for every step of a schedule, equal for
/// all frames and positions, and for all clips where B is 1.
struct ResBlockConstants {
  Tensor spatial;   // [steps, B, C]
  Tensor temporal;  // [steps, B, C]

  ResBlockConstants clip(std::int64_t i) const;    ///< of one of the clips
  ResBlockConstants at(const Tensor& step) const;  ///< of one of the steps, an int64 tensor [1]
};

/// Input of a res block: a picture, or in a UNet's up blocks the picture and the skip whose
/// channels follow its own.
struct ResBlockInput {
  Tensor picture;  // [B*F, C, h, w]
  Tensor skip;     // [B*F, C2, h, w] or undefined
};

class Upsample2D;

/// The 1x1 convolution that brings a res block's input to its output's channels. Keys: weight,
/// bias.
class ShortcutConv : public Module {
 public:
  /// The last `skip` of the `in` channels come from the skip.
  ShortcutConv(Module& parent, std::string name, std::int64_t in, std::int64_t out,
               std::int64_t skip);
  Tensor forward(const ResBlockInput& input) const;  // [B*F, in, h, w] -> [B*F, out, h, w]

  /// Becomes one linear layer over tokens for the picture and one for the skip.
  void fold() override;

 private:
  Tensor weight_;  // [out, in, 1, 1]
  Tensor bias_;
  std::int64_t skip_;
  Linear from_picture_;  // made by fold, as is from_skip_
  Linear from_skip_;
};

/// diffusers: models/resnet.py ResnetBlock2D. Keys: norm1, conv1, time_emb_proj (with time
/// embedding), norm2, conv2, conv_shortcut (where channels change).
class ResnetBlock2D : public Module {
 public:
  /// `time_channels` 0: no time embedding. The last `skip` of the `in` channels come from the skip.
  ResnetBlock2D(Module& parent, std::string name, std::int64_t in, std::int64_t out,
                std::int64_t time_channels, double eps, std::int64_t skip = 0);

  /// time: silu(embedding) [..., time_channels] -> [..., out].
  Tensor project_time(const Tensor& time) const { return time_emb_proj_->forward(time); }

  /// input: [B*F, in, h, w]; time: [B, out] or undefined. Result [B*F, out, h, w].
  Tensor forward(const ResBlockInput& input, const Tensor& time) const;

  /// Without time embedding; the picture is enlarged first if `before` is not null. Large pictures
  /// are overwritten with the result.
  Tensor forward_upsampled(const Tensor& picture, const Upsample2D* before) const;
  void fold() override;

 private:
  Tensor compute(const ResBlockInput& input, const Tensor& time) const;

  GroupNorm norm1_;
  Conv2d conv1_;
  std::optional<Linear> time_emb_proj_;
  GroupNorm norm2_;
  Conv2d conv2_;
  std::optional<ShortcutConv> conv_shortcut_;
};

/// diffusers: models/resnet.py TemporalResnetBlock, without its skip, which is the blend's
/// business. Keys: norm1, conv1, time_emb_proj, norm2, conv2.
class TemporalResnetBlock : public Module {
 public:
  TemporalResnetBlock(Module& parent, std::string name, std::int64_t channels,
                      std::int64_t time_channels, double eps);
  Tensor project_time(const Tensor& time) const { return time_emb_proj_->forward(time); }

  /// picture + share * residual(picture), where `share` (a tensor [1]) is left out once
  /// `fold_with` has put it into the weights. picture: [B*F, C, h, w], may be overwritten; time:
  /// [B, C] or undefined.
  Tensor forward(Tensor&& picture, std::int64_t frames, const Tensor& time,
                 const Tensor& share) const;
  void fold_with(const AlphaBlender& mixer, AlphaBlender::Share share);

 private:
  void forward_in_parts(Tensor& picture, std::int64_t frames) const;

  GroupNorm norm1_;
  TemporalConv conv1_;
  std::optional<Linear> time_emb_proj_;
  GroupNorm norm2_;
  TemporalConv conv2_;
  bool share_is_folded_ = false;
};

/// Which of the two branches the blend's alpha belongs to: the UNet's alpha weights the spatial
/// branch, the VAE's the temporal one.
enum class Blend { alpha_spatial, alpha_temporal };

/// diffusers: models/resnet.py SpatioTemporalResBlock.
/// Keys: spatial_res_block, temporal_res_block, time_mixer.mix_factor.
class SpatioTemporalResBlock : public Module {
 public:
  SpatioTemporalResBlock(Module& parent, std::string name, std::int64_t in, std::int64_t out,
                         std::int64_t time_channels, double eps, double temporal_eps, Blend blend,
                         std::int64_t skip = 0);

  /// time: silu(embedding), [steps, B, time_channels].
  ResBlockConstants prepare(const Tensor& time) const;

  /// Without time embedding, as in the VAE; the picture is enlarged first if `before` is not null.
  /// Inputs are given up: large ones are overwritten, all are gone before the temporal branch runs.
  Tensor forward(Tensor&& picture, std::int64_t frames, const Upsample2D* before = nullptr) const;
  /// With those of one step.
  Tensor forward(ResBlockInput&& input, std::int64_t frames,
                 const ResBlockConstants& constants) const;
  void fold() override;

 private:
  Tensor blend(Tensor&& spatial, std::int64_t frames, const Tensor& time) const;

  ResnetBlock2D spatial_res_block_;
  TemporalResnetBlock temporal_res_block_;
  AlphaBlender time_mixer_;
  Blend blend_;
};

/// diffusers: models/downsampling.py Downsample2D: 3x3 convolution, stride 2. Key: conv.
class Downsample2D : public Module {
 public:
  enum class Padding { symmetric /* UNet */, right_bottom /* VAE: pads (0, 1, 0, 1) */ };
  Downsample2D(Module& parent, std::string name, std::int64_t channels, Padding padding);
  Tensor forward(const Tensor& picture) const;

 private:
  Padding padding_;
  Conv2d conv_;
};

/// diffusers: models/upsampling.py Upsample2D: nearest neighbour x2, 3x3 convolution. Key: conv.
class Upsample2D : public Module {
 public:
  Upsample2D(Module& parent, std::string name, std::int64_t channels);
  Tensor forward(const Tensor& picture) const;
  void fold() override;
  double growth_when_folded() const override { return savings_.phase_upsampling ? 16.0 / 9 : 1; }

 private:
  Tensor compute(const Tensor& picture) const;

  std::int64_t channels_;
  Conv2d conv_;
  Conv2d phases_;  // made by fold: [4*C, C, 2, 2], Note: [Phases of an upsampled convolution]
};

}  // namespace svd::nn
