#pragma once

#include "base/model_config.h"

namespace svd::test {

/// A UNet of two levels that runs in milliseconds.
inline UNetConfig small_unet() {
  UNetConfig config;
  config.block_out_channels = {32, 64};
  config.down_block_types = {"CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"};
  config.up_block_types = {"UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"};
  config.layers_per_block = {1, 1};
  config.cross_attention_dim = {16, 16};
  config.transformer_layers_per_block = {1, 1};
  config.num_attention_heads = {2, 2};
  config.addition_time_embed_dim = 16;
  config.projection_class_embeddings_input_dim = 48;
  return config;
}

}  // namespace svd::test
