#include "networks/vae/autoencoder.h"

#include "nn/layout.h"
#include "nn/parts.h"

namespace svd::networks {
namespace {

// The decoder's levels from the coarsest to the finest, each upsampling but the last.
template <class Resnet>
void build_up_blocks(nn::ModuleList<VaeUpBlock<Resnet>>& blocks, const VaeConfig& config) {
  const auto& channels = config.block_out_channels;
  for (std::size_t i = 0; i < channels.size(); ++i) {
    const std::size_t level = channels.size() - 1 - i;
    const int in = channels[i == 0 ? level : level + 1];
    blocks.emplace(in, channels[level], config.layers_per_block + 1, level > 0);
  }
}

template <class Resnet>
Tensor decode_to_features(Tensor x, std::int64_t frames, const VaeMidBlock<Resnet>& mid,
                          const nn::ModuleList<VaeUpBlock<Resnet>>& up_blocks,
                          const BeforeUnit& before) {
  x = mid.forward(std::move(x), frames, before);
  PendingUpsample pending = nullptr;
  for (std::size_t i = 0; i < up_blocks.size(); ++i) {
    x = up_blocks[i].forward(std::move(x), frames, pending, before);
    pending = up_blocks[i].upsampler();
  }
  return x;  // the last block has none
}

Tensor features_to_pixels(const Tensor& features, const nn::GroupNorm& norm,
                          const nn::Conv2d& conv) {
  return nn::by_pictures(features, static_cast<std::int64_t>(features.nbytes()),
                         [&](const Tensor& part) { return conv.forward(norm.forward_silu(part)); });
}

}  // namespace

Encoder::Encoder(nn::Module& parent, std::string name, const VaeConfig& config)
    : Module(parent, std::move(name)),
      conv_in_(*this, "conv_in", config.in_channels, config.block_out_channels.front(), 3, 1, 1),
      down_blocks_(*this, "down_blocks"),
      mid_block_(*this, "mid_block", config.block_out_channels.back(), 2),
      conv_norm_out_(*this, "conv_norm_out", config.block_out_channels.back(), 1e-6),
      conv_out_(*this, "conv_out", config.block_out_channels.back(), 2 * config.latent_channels, 3,
                1, 1) {
  const auto& channels = config.block_out_channels;
  for (std::size_t i = 0; i < channels.size(); ++i)
    down_blocks_.emplace(channels[i == 0 ? 0 : i - 1], channels[i], config.layers_per_block,
                         i + 1 < channels.size());
}

Tensor Encoder::forward(const Tensor& pixels, const BeforeUnit& before) const {
  Tensor x = conv_in_.forward(nn::channels_last(pixels));
  for (std::size_t i = 0; i < down_blocks_.size(); ++i)
    x = down_blocks_[i].forward(std::move(x), before);
  x = mid_block_.forward(std::move(x), 1, before);
  return conv_out_.forward(conv_norm_out_.forward_silu(x));
}

AutoencoderEncoder::AutoencoderEncoder(const VaeConfig& config)
    : latent_channels_(config.latent_channels),
      encoder_(*this, "encoder", config),
      quant_conv_(*this, "quant_conv", 2 * config.latent_channels, 2 * config.latent_channels, 1) {}

Tensor AutoencoderEncoder::encode_mode(const Tensor& pixels, const BeforeUnit& before) const {
  return encode(pixels, before).narrow(1, 0, latent_channels_);
}

Tensor AutoencoderEncoder::encode(const Tensor& pixels, const BeforeUnit& before) const {
  return quant_conv_.forward(encoder_.forward(pixels, before));
}

AutoencoderDecoder::AutoencoderDecoder(const VaeConfig& config)
    : decoder_(*this, "decoder"),
      conv_in_(decoder_, "conv_in", config.latent_channels, config.block_out_channels.back(), 3, 1,
               1),
      mid_block_(decoder_, "mid_block", config.block_out_channels.back(), 2),
      up_blocks_(decoder_, "up_blocks"),
      conv_norm_out_(decoder_, "conv_norm_out", config.block_out_channels.front(), 1e-6),
      conv_out_(decoder_, "conv_out", config.block_out_channels.front(), config.out_channels, 3, 1,
                1),
      post_quant_conv_(*this, "post_quant_conv", config.latent_channels, config.latent_channels,
                       1) {
  build_up_blocks(up_blocks_, config);
}

Tensor AutoencoderDecoder::decode(const Tensor& latents, std::int64_t frames,
                                  const BeforeUnit& before) const {
  Tensor x = conv_in_.forward(post_quant_conv_.forward(nn::channels_last(latents)));
  x = decode_to_features(std::move(x), frames, mid_block_, up_blocks_, before);
  return features_to_pixels(x, conv_norm_out_, conv_out_);
}

AutoencoderTemporalDecoder::AutoencoderTemporalDecoder(const VaeConfig& config)
    : decoder_(*this, "decoder"),
      conv_in_(decoder_, "conv_in", config.latent_channels, config.block_out_channels.back(), 3, 1,
               1),
      mid_block_(decoder_, "mid_block", config.block_out_channels.back(), config.layers_per_block),
      up_blocks_(decoder_, "up_blocks"),
      conv_norm_out_(decoder_, "conv_norm_out", config.block_out_channels.front(), 1e-6),
      conv_out_(decoder_, "conv_out", config.block_out_channels.front(), config.out_channels, 3, 1,
                1),
      time_conv_out_(decoder_, "time_conv_out", config.out_channels, config.out_channels) {
  build_up_blocks(up_blocks_, config);
}

Tensor AutoencoderTemporalDecoder::decode(const Tensor& latents, std::int64_t frames,
                                          const BeforeUnit& before) const {
  Tensor x = conv_in_.forward(nn::channels_last(latents));
  x = decode_to_features(std::move(x), frames, mid_block_, up_blocks_, before);
  x = features_to_pixels(x, conv_norm_out_, conv_out_);
  return time_conv_out_.forward(x, frames);
}

std::unique_ptr<VideoDecoder> make_decoder(const VaeConfig& config) {
  if (config.temporal_decoder) return std::make_unique<AutoencoderTemporalDecoder>(config);
  return std::make_unique<AutoencoderDecoder>(config);
}

}  // namespace svd::networks
