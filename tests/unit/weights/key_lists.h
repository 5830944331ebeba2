#pragma once

#include <cstdint>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "base/model_config.h"

namespace svd::weights {

using Shapes = std::map<std::string, std::vector<std::int64_t>>;

/// One list of tests/golden/keys (tests/golden/make_keys.py).
inline Shapes key_list(const std::string& name) {
  std::ifstream file(std::string(SVD_TEST_DATA "/golden/keys/") + name + ".txt");
  if (!file) throw std::runtime_error("no key list " + name);
  Shapes shapes;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string key;
    words >> key;
    auto& shape = shapes[key];
    for (std::int64_t size = 0; words >> size;) shape.push_back(size);
  }
  return shapes;
}

/// Names of a single file, temporal or with the frame-wise decoder. `prefix`: "" or "tiny_".
inline Shapes single_file_list(const std::string& prefix, bool temporal) {
  Shapes shapes = key_list(prefix + "single_file");
  if (temporal) return shapes;
  std::erase_if(shapes,
                [](const auto& item) { return item.first.starts_with("first_stage_model."); });
  shapes.merge(key_list(prefix + "single_file_image_decoder"));
  return shapes;
}

/// One line of tests/golden/keys/tiny_pairs.txt (tests/golden/make_key_pairs.py).
struct KeyPair {
  std::string published;
  std::string part;
  std::string diffusers;
};

inline std::vector<KeyPair> tiny_pairs(bool temporal) {
  std::ifstream file(SVD_TEST_DATA "/golden/keys/tiny_pairs.txt");
  if (!file) throw std::runtime_error("no tiny_pairs.txt");
  std::vector<KeyPair> pairs;
  for (std::string which, published, target; file >> which >> published >> target;) {
    if (which != "both" && (which == "temporal") != temporal) continue;
    const std::size_t slash = target.find('/');
    pairs.push_back({published, target.substr(0, slash), target.substr(slash + 1)});
  }
  return pairs;
}

/// TINY of tests/golden/make_keys.py.
inline ModelConfig tiny_config(bool temporal = true) {
  ModelConfig config;
  config.unet.block_out_channels = {32, 64};
  config.unet.down_block_types = {"CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"};
  config.unet.up_block_types = {"UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"};
  config.unet.layers_per_block = {1, 1};
  config.unet.cross_attention_dim = {32, 32};
  config.unet.transformer_layers_per_block = {2, 2};
  config.unet.num_attention_heads = {1, 2};
  config.unet.addition_time_embed_dim = 32;
  config.unet.projection_class_embeddings_input_dim = 96;
  config.vae.temporal_decoder = temporal;
  config.vae.block_out_channels = {32, 64};
  config.clip.hidden_size = 64;
  config.clip.intermediate_size = 96;
  config.clip.num_hidden_layers = 2;
  config.clip.num_attention_heads = 1;
  config.clip.image_size = 32;
  config.clip.patch_size = 16;
  config.clip.projection_dim = 32;
  return config;
}

}  // namespace svd::weights
