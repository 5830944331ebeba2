#pragma once

#include <vector>

#include "base/model_config.h"
#include "networks/unet/unet_blocks.h"

namespace svd::networks {

/// GroupNorm epsilons of the UNet's res blocks. The two published implementations differ:
/// Stability's uses 1e-5 everywhere, diffusers 1e-6 in down blocks with attention and in up blocks.
struct UNetNormEps {
  double down_with_attention = 1e-5;
  double down_plain = 1e-5;
  double mid = 1e-5;
  double up = 1e-5;

  bool operator==(const UNetNormEps&) const = default;
};

/// The UNet's first convolution, over noisy latents and image latents. Keys: weight, bias.
class InputConv : public nn::Module {
 public:
  InputConv(nn::Module& parent, std::string name, std::int64_t in, std::int64_t out);

  /// sample: [N, in, h, w] -> [N, out, h, w].
  Tensor forward(const Tensor& sample) const;

  /// Its two shares, whose sum is `forward`, once `fold` has parted them: of the first half of the
  /// channels, with the bias, and of the others.
  Tensor of_noise(const Tensor& noisy) const { return noise_.forward(noisy); }
  Tensor of_picture(const Tensor& latents) const { return picture_.forward(latents); }
  bool is_parted() const { return noise_.is_loaded(); }
  void fold() override;

 private:
  Tensor weight_;  // [out, in, 3, 3]
  Tensor bias_;
  nn::Conv2d noise_;  // made by fold, as is picture_
  nn::Conv2d picture_;
  nn::Conv2d whole_;  // made by fold with Savings::split_input off
};

/// All that stays constant over a clip's denoising: time embeddings of every step, the one-token
/// cross-attentions, the frame embeddings. Made by `prepare`, read by `forward`.
struct ClipContext {
  std::int64_t frames = 0;
  std::vector<BlockConstants> down;
  BlockConstants mid;
  std::vector<BlockConstants> up;

  /// That of one of the clips that `prepare` was given together.
  ClipContext clip(std::int64_t i) const;

  /// That of one of the steps. step: int64 [1] on the context's device, so that no value has to be
  /// known where the call is made.
  ClipContext at(const Tensor& step) const;
};

/// diffusers: models/unets/unet_spatio_temporal_condition.py UNetSpatioTemporalConditionModel.
/// Keys (single file: model.diffusion_model.*): conv_in, time_embedding, add_embedding,
/// down_blocks.N, mid_block, up_blocks.N, conv_norm_out, conv_out.
class UNetSpatioTemporalConditionModel : public nn::Module {
 public:
  UNetSpatioTemporalConditionModel(const UNetConfig& config, const UNetNormEps& eps);

  /// embeds: [B, 1, cross_attention_dim]; added_time_ids: [B or 1, 3] (fps, motion bucket, noise
  /// augmentation); timesteps: c_noise values, [steps], or [steps, B] where clips differ. B are
  /// independent clips (for guidance: unconditional, conditional). Reads the parameters of
  /// Use::prepare only. Differentiable.
  ClipContext prepare(const Tensor& embeds, const Tensor& added_time_ids, std::int64_t frames,
                      const Tensor& timesteps, const BeforeUnit& before) const;

  /// sample: [B, F, in_channels, h, w] in the dtype of the weights, h and w multiples of
  /// 2^(levels-1); context: of one step. Result [B, F, out_channels, h, w]. Differentiable.
  Tensor forward(const Tensor& sample, const ClipContext& context, const BeforeUnit& before) const {
    return project(features(embed(sample), context, before));
  }

  /// The three parts of `forward`: the first convolution, [B, F, C, h, w] ...
  Tensor embed(const Tensor& sample) const;
  /// ... all between, to the last norm and its SiLU, same shape ...
  Tensor features(const Tensor& embedded, const ClipContext& context,
                  const BeforeUnit& before) const;
  /// ... and the last convolution, which is linear: [B, F, out_channels, h, w].
  Tensor project(const Tensor& features) const;

  const InputConv& conv_in() const { return conv_in_; }

  /// Whether guidance is to be applied to `features` (Savings::guided_features).
  bool guides_features() const { return savings_.guided_features; }

 private:
  UNetConfig config_;
  InputConv conv_in_;
  nn::TimestepEmbedding time_embedding_;
  nn::TimestepEmbedding add_embedding_;
  nn::ModuleList<DownBlockSpatioTemporal> down_blocks_;
  UNetMidBlockSpatioTemporal mid_block_;
  nn::ModuleList<UpBlockSpatioTemporal> up_blocks_;
  nn::GroupNorm conv_norm_out_;
  nn::Conv2d conv_out_;
};

}  // namespace svd::networks
