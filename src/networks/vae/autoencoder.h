#pragma once

#include <optional>

#include "base/model_config.h"
#include "networks/vae/autoencoder_blocks.h"

/// The image autoencoder in two halves, since a render never needs both at once:
/// diffusers' AutoencoderKLTemporalDecoder = AutoencoderEncoder + AutoencoderTemporalDecoder,
/// AutoencoderKL (the *_image_decoder files)  = AutoencoderEncoder + AutoencoderDecoder.
namespace svd::networks {

/// diffusers: models/autoencoders/vae.py Encoder. Keys: conv_in, down_blocks.N, mid_block,
/// conv_norm_out, conv_out.
class Encoder : public nn::Module {
 public:
  Encoder(nn::Module& parent, std::string name, const VaeConfig& config);
  Tensor forward(const Tensor& pixels, const BeforeUnit& before) const;

 private:
  nn::Conv2d conv_in_;
  nn::ModuleList<DownEncoderBlock2D> down_blocks_;
  VaeMidBlock<VaeResnet> mid_block_;
  nn::GroupNorm conv_norm_out_;
  nn::Conv2d conv_out_;
};

/// Keys: encoder, quant_conv (single file: conditioner.embedders.3.encoder.*).
class AutoencoderEncoder : public nn::Module {
 public:
  explicit AutoencoderEncoder(const VaeConfig& config);

  /// Mode (mean) of the latent distribution, unscaled. pixels: [N, 3, H, W] in [-1, 1] ->
  /// [N, latent_channels, H / factor, W / factor].
  Tensor encode_mode(const Tensor& pixels, const BeforeUnit& before) const;

  /// Mean and log variance of the distribution, [N, 2 * latent_channels, H / factor, W / factor].
  Tensor encode(const Tensor& pixels, const BeforeUnit& before) const;

 private:
  std::int64_t latent_channels_;
  Encoder encoder_;
  nn::Conv2d quant_conv_;
};

/// What both decoders do. latents: [B*F, latent_channels, h, w] divided by the scaling factor ->
/// [B*F, 3, H, W], about [-1, 1]. `frames` are the frames of each clip that the temporal layers see
/// together.
class VideoDecoder : public nn::Module {
 public:
  virtual Tensor decode(const Tensor& latents, std::int64_t frames,
                        const BeforeUnit& before) const = 0;
};

/// diffusers: models/autoencoders/vae.py Decoder with post_quant_conv; every frame by itself.
/// Keys: decoder.{conv_in, mid_block, up_blocks.N, conv_norm_out, conv_out}, post_quant_conv.
class AutoencoderDecoder : public VideoDecoder {
 public:
  explicit AutoencoderDecoder(const VaeConfig& config);
  Tensor decode(const Tensor& latents, std::int64_t frames,
                const BeforeUnit& before) const override;

 private:
  nn::Module decoder_;
  nn::Conv2d conv_in_;
  VaeMidBlock<VaeResnet> mid_block_;
  nn::ModuleList<VaeUpBlock<VaeResnet>> up_blocks_;
  nn::GroupNorm conv_norm_out_;
  nn::Conv2d conv_out_;
  nn::Conv2d post_quant_conv_;
};

/// diffusers: models/autoencoders/autoencoder_kl_temporal_decoder.py TemporalDecoder.
/// Keys: decoder.{conv_in, mid_block, up_blocks.N, conv_norm_out, conv_out, time_conv_out}.
class AutoencoderTemporalDecoder : public VideoDecoder {
 public:
  explicit AutoencoderTemporalDecoder(const VaeConfig& config);
  Tensor decode(const Tensor& latents, std::int64_t frames,
                const BeforeUnit& before) const override;

 private:
  nn::Module decoder_;
  nn::Conv2d conv_in_;
  VaeMidBlock<VaeTemporalResnet> mid_block_;
  nn::ModuleList<VaeUpBlock<VaeTemporalResnet>> up_blocks_;
  nn::GroupNorm conv_norm_out_;
  nn::Conv2d conv_out_;
  nn::TemporalConv time_conv_out_;
};

/// The decoder that the configuration names.
std::unique_ptr<VideoDecoder> make_decoder(const VaeConfig& config);

}  // namespace svd::networks
