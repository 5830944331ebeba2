#include "weights/key_table.h"

#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include "weights/key_rules.h"

namespace svd::weights {
namespace {

constexpr std::string_view kLeftoverNames[] = {
    "conditioner.embedders.0.open_clip.model.positional_embedding",
    "conditioner.embedders.0.open_clip.model.text_projection",
    "conditioner.embedders.0.open_clip.model.logit_scale",
    "conditioner.embedders.0.open_clip.model.token_embedding.weight",
    "conditioner.embedders.0.open_clip.model.ln_final.weight",
    "conditioner.embedders.0.open_clip.model.ln_final.bias",
    "conditioner.embedders.0.open_clip.mean",
    "conditioner.embedders.0.open_clip.std",
};
constexpr std::string_view kLeftoverPrefixes[] = {
    "denoiser.",
    "conditioner.embedders.3.encoder.decoder.",
    "conditioner.embedders.3.encoder.post_quant_conv.",
    "first_stage_model.encoder.",
    "first_stage_model.quant_conv.",
};

bool crosses(const std::string& block_type) { return block_type.starts_with("CrossAttn"); }

}  // namespace

KeyTable::KeyTable(const ModelConfig& config) {
  add_unet(config.unet);
  add_vae_encoder(config.vae);
  add_vae_decoder(config.vae);
  add_clip(config.clip);
}

const KeyEntry* KeyTable::find(Part part, const std::string& diffusers) const {
  const auto found = by_diffusers_.find({part, diffusers});
  return found == by_diffusers_.end() ? nullptr : &entries_[found->second];
}

void KeyTable::add(Part part, const std::string& diffusers, const std::string& published,
                   std::span<const KeyRule> rules) {
  for (const KeyRule& rule : rules) {
    by_diffusers_.emplace(std::pair(part, diffusers + rule.diffusers), entries_.size());
    entries_.push_back(
        {part, diffusers + rule.diffusers, published + rule.published, rule.transform});
  }
}

void KeyTable::add_attention(const std::string& diffusers, const std::string& published,
                             int layers) {
  add(Part::unet, diffusers, published, kTransformer);
  for (int n = 0; n < layers; ++n) {
    add(Part::unet, fmt::format("{}transformer_blocks.{}.", diffusers, n),
        fmt::format("{}transformer_blocks.{}.", published, n), kLayer);
    const std::string temporal = fmt::format("{}temporal_transformer_blocks.{}.", diffusers, n);
    const std::string stack = fmt::format("{}time_stack.{}.", published, n);
    add(Part::unet, temporal, stack, kLayer);
    add(Part::unet, temporal, stack, kTemporalLayer);
  }
}

void KeyTable::add_res_block(const std::string& diffusers, const std::string& published, int in,
                             int out) {
  add(Part::unet, diffusers, published, kUNetRes);
  if (in != out) add(Part::unet, diffusers, published, kUNetShortcut);
}

void KeyTable::add_unet(const UNetConfig& config) {
  const std::string root(kUNetPrefix);
  const int channels = config.block_out_channels.back();
  add(Part::unet, "", root, kUNet);
  const std::vector<int> skips = add_unet_down(config);
  add_res_block("mid_block.resnets.0.", root + "middle_block.0.", channels, channels);
  add_attention("mid_block.attentions.0.", root + "middle_block.1.",
                config.transformer_layers_per_block.back());
  add_res_block("mid_block.resnets.1.", root + "middle_block.2.", channels, channels);
  add_unet_up(config, skips);
}

// The published lists count res blocks and resamplers on; diffusers groups them by level.
std::vector<int> KeyTable::add_unet_down(const UNetConfig& config) {
  const std::string root(kUNetPrefix);
  const int levels = static_cast<int>(config.block_out_channels.size());
  int channels = config.block_out_channels[0];
  std::vector<int> skips = {channels};
  int input = 1;
  for (int level = 0; level < levels; ++level) {
    for (int n = 0; n < config.layers_per_block[level]; ++n, ++input) {
      add_res_block(fmt::format("down_blocks.{}.resnets.{}.", level, n),
                    fmt::format("{}input_blocks.{}.0.", root, input), channels,
                    config.block_out_channels[level]);
      channels = config.block_out_channels[level];
      skips.push_back(channels);
      if (crosses(config.down_block_types[level])) {
        add_attention(fmt::format("down_blocks.{}.attentions.{}.", level, n),
                      fmt::format("{}input_blocks.{}.1.", root, input),
                      config.transformer_layers_per_block[level]);
      }
    }
    if (level + 1 < levels) {
      add(Part::unet, fmt::format("down_blocks.{}.downsamplers.0.conv.", level),
          fmt::format("{}input_blocks.{}.0.op.", root, input++), kModule);
      skips.push_back(channels);
    }
  }
  return skips;
}

void KeyTable::add_unet_up(const UNetConfig& config, std::vector<int> skips) {
  const std::string root(kUNetPrefix);
  const int levels = static_cast<int>(config.block_out_channels.size());
  int channels = config.block_out_channels.back();
  int output = 0;
  for (int block = 0; block < levels; ++block) {
    const int level = levels - 1 - block;
    const bool attention = crosses(config.up_block_types[block]);
    for (int n = 0; n <= config.layers_per_block[level]; ++n, ++output) {
      add_res_block(fmt::format("up_blocks.{}.resnets.{}.", block, n),
                    fmt::format("{}output_blocks.{}.0.", root, output), channels + skips.back(),
                    config.block_out_channels[level]);
      skips.pop_back();
      channels = config.block_out_channels[level];
      if (attention) {
        add_attention(fmt::format("up_blocks.{}.attentions.{}.", block, n),
                      fmt::format("{}output_blocks.{}.1.", root, output),
                      config.transformer_layers_per_block[level]);
      }
    }
    if (block + 1 < levels) {
      add(Part::unet, fmt::format("up_blocks.{}.upsamplers.0.conv.", block),
          fmt::format("{}output_blocks.{}.{}.conv.", root, output - 1, attention ? 2 : 1), kModule);
    }
  }
}

void KeyTable::add_vae_block(const std::string& diffusers, const std::string& published, int in,
                             int out, bool temporal) {
  add(Part::vae, diffusers, published, temporal ? kVaeTemporal : kVaeRes);
  if (in != out) {
    add(Part::vae, diffusers, published, temporal ? kVaeTemporalShortcut : kVaeShortcut);
  }
}

void KeyTable::add_vae_middle(const std::string& diffusers, const std::string& published,
                              int channels, bool temporal) {
  add_vae_block(diffusers + "mid_block.resnets.0.", published + "mid.block_1.", channels, channels,
                temporal);
  add(Part::vae, diffusers + "mid_block.attentions.0.", published + "mid.attn_1.", kVaeAttention);
  add_vae_block(diffusers + "mid_block.resnets.1.", published + "mid.block_2.", channels, channels,
                temporal);
}

void KeyTable::add_vae_encoder(const VaeConfig& config) {
  const std::string root(kConditionVaePrefix);
  const std::string encoder = root + "encoder.";
  const int levels = static_cast<int>(config.block_out_channels.size());
  add(Part::vae, "encoder.", encoder, kVaeEnds);
  add(Part::vae, "quant_conv.", root + "quant_conv.", kModule);
  int channels = config.block_out_channels[0];
  for (int level = 0; level < levels; ++level) {
    for (int n = 0; n < config.layers_per_block; ++n) {
      add_vae_block(fmt::format("encoder.down_blocks.{}.resnets.{}.", level, n),
                    fmt::format("{}down.{}.block.{}.", encoder, level, n), channels,
                    config.block_out_channels[level], false);
      channels = config.block_out_channels[level];
    }
    if (level + 1 < levels) {
      add(Part::vae, fmt::format("encoder.down_blocks.{}.downsamplers.0.conv.", level),
          fmt::format("{}down.{}.downsample.conv.", encoder, level), kModule);
    }
  }
  add_vae_middle("encoder.", encoder, channels, false);
}

void KeyTable::add_vae_decoder(const VaeConfig& config) {
  const std::string root(kFirstStagePrefix);
  const std::string decoder = root + "decoder.";
  const bool temporal = config.temporal_decoder;
  const int levels = static_cast<int>(config.block_out_channels.size());
  int channels = config.block_out_channels.back();
  add(Part::vae, "decoder.", decoder, kVaeEnds);
  if (temporal) {
    add(Part::vae, "decoder.", decoder, kVaeTimeConv);
  } else {
    add(Part::vae, "post_quant_conv.", root + "post_quant_conv.", kModule);
  }
  add_vae_middle("decoder.", decoder, channels, temporal);
  for (int up = 0; up < levels; ++up) {
    const int level = levels - 1 - up;  // published levels count from the pixels
    for (int n = 0; n <= config.layers_per_block; ++n) {
      add_vae_block(fmt::format("decoder.up_blocks.{}.resnets.{}.", up, n),
                    fmt::format("{}up.{}.block.{}.", decoder, level, n), channels,
                    config.block_out_channels[level], temporal);
      channels = config.block_out_channels[level];
    }
    if (level > 0) {
      add(Part::vae, fmt::format("decoder.up_blocks.{}.upsamplers.0.conv.", up),
          fmt::format("{}up.{}.upsample.conv.", decoder, level), kModule);
    }
  }
}

void KeyTable::add_clip(const ClipVisionConfig& config) {
  const std::string root(kClipPrefix);
  add(Part::image_encoder, "", root, kClip);
  for (int n = 0; n < config.num_hidden_layers; ++n) {
    add(Part::image_encoder, fmt::format("vision_model.encoder.layers.{}.", n),
        fmt::format("{}visual.transformer.resblocks.{}.", root, n), kClipLayer);
  }
}

std::vector<std::int64_t> published_shape(Transform transform, std::vector<std::int64_t> shape) {
  switch (transform) {
    case Transform::same:
      break;
    case Transform::first_third:
    case Transform::second_third:
    case Transform::last_third:
      if (!shape.empty()) shape[0] *= 3;
      break;
    case Transform::transpose:
      if (shape.size() == 2) std::swap(shape[0], shape[1]);
      break;
    case Transform::squeeze:
      shape.insert(shape.end(), {1, 1});
      break;
  }
  return shape;
}

at::Tensor apply(Transform transform, const at::Tensor& published) {
  const auto third = [&](int n) {
    const std::int64_t rows = published.size(0) / 3;
    return published.narrow(0, n * rows, rows);
  };
  switch (transform) {
    case Transform::same:
      break;
    case Transform::first_third:
      return third(0);
    case Transform::second_third:
      return third(1);
    case Transform::last_third:
      return third(2);
    case Transform::transpose:
      return published.t();
    case Transform::squeeze:
      return published.squeeze(-1).squeeze(-1);
  }
  return published;
}

bool is_leftover(std::string_view published) {
  for (const std::string_view name : kLeftoverNames) {
    if (published == name) return true;
  }
  for (const std::string_view prefix : kLeftoverPrefixes) {
    if (published.starts_with(prefix)) return true;
  }
  return false;
}

}  // namespace svd::weights
