#pragma once

#include <optional>

#include "nn/layers.h"

namespace svd::nn {

/// Time-embedding projections of one SpatioTemporalResBlock for every step of a schedule, equal for
/// all frames and positions (performance notes E2).
struct ResBlockConstants {
  Tensor spatial;   // [steps, B, C]
  Tensor temporal;  // [steps, B, C]
};

/// diffusers: models/resnet.py ResnetBlock2D. Keys: norm1, conv1, time_emb_proj (with time
/// embedding), norm2, conv2, conv_shortcut (where channels change).
class ResnetBlock2D : public Module {
 public:
  /// `time_channels` 0: no time embedding.
  ResnetBlock2D(Module& parent, std::string name, std::int64_t in, std::int64_t out,
                std::int64_t time_channels, double eps);

  /// time: silu(embedding) [..., time_channels] -> [..., out].
  Tensor project_time(const Tensor& time) const { return time_emb_proj_->forward(time); }

  /// picture: [B*F, in, h, w]; time: [B, out] or undefined. Result [B*F, out, h, w].
  Tensor forward(const Tensor& picture, const Tensor& time) const;

 private:
  GroupNorm norm1_;
  Conv2d conv1_;
  std::optional<Linear> time_emb_proj_;
  GroupNorm norm2_;
  Conv2d conv2_;
  std::optional<Conv2d> conv_shortcut_;
};

/// diffusers: models/resnet.py TemporalResnetBlock, without its skip: the caller blends.
/// Keys: norm1, conv1, time_emb_proj, norm2, conv2.
class TemporalResnetBlock : public Module {
 public:
  TemporalResnetBlock(Module& parent, std::string name, std::int64_t channels,
                      std::int64_t time_channels, double eps);
  Tensor project_time(const Tensor& time) const { return time_emb_proj_->forward(time); }

  /// What the block adds to its input. picture: [B*F, C, h, w]; time: [B, C] or undefined.
  Tensor residual(const Tensor& picture, std::int64_t frames, const Tensor& time) const;

 private:
  GroupNorm norm1_;
  TemporalConv conv1_;
  std::optional<Linear> time_emb_proj_;
  GroupNorm norm2_;
  TemporalConv conv2_;
};

/// Which of the two branches the blend's alpha belongs to: the UNet's alpha weights the spatial
/// branch, the VAE's the temporal one.
enum class Blend { alpha_spatial, alpha_temporal };

/// diffusers: models/resnet.py SpatioTemporalResBlock.
/// Keys: spatial_res_block, temporal_res_block, time_mixer.mix_factor.
class SpatioTemporalResBlock : public Module {
 public:
  SpatioTemporalResBlock(Module& parent, std::string name, std::int64_t in, std::int64_t out,
                         std::int64_t time_channels, double eps, double temporal_eps, Blend blend);

  /// time: silu(embedding), [steps, B, time_channels].
  ResBlockConstants prepare(const Tensor& time) const;

  /// Without time embedding, as in the VAE.
  Tensor forward(const Tensor& picture, std::int64_t frames) const;
  Tensor forward(const Tensor& picture, std::int64_t frames, const ResBlockConstants& constants,
                 std::int64_t step) const;

 private:
  Tensor mix(const Tensor& spatial, const Tensor& temporal_residual) const;

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

 private:
  Conv2d conv_;
};

}  // namespace svd::nn
