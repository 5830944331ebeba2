#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace svd {

/// unet/config.json of UNetSpatioTemporalConditionModel. Field names are those of the file.
struct UNetConfig {
  int in_channels = 8;
  int out_channels = 4;
  std::vector<std::string> down_block_types = {
      "CrossAttnDownBlockSpatioTemporal", "CrossAttnDownBlockSpatioTemporal",
      "CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"};
  std::vector<std::string> up_block_types = {
      "UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal",
      "CrossAttnUpBlockSpatioTemporal"};
  std::vector<int> block_out_channels = {320, 640, 1280, 1280};
  int addition_time_embed_dim = 256;
  int projection_class_embeddings_input_dim = 768;
  std::vector<int> layers_per_block = {2, 2, 2, 2};                 ///< one entry a level
  std::vector<int> cross_attention_dim = {1024, 1024, 1024, 1024};  ///< one entry a level
  std::vector<int> transformer_layers_per_block = {1, 1, 1, 1};     ///< one entry a level
  std::vector<int> num_attention_heads = {5, 10, 20, 20};           ///< one entry a level
  int num_frames = 25;
};

/// vae/config.json of AutoencoderKLTemporalDecoder, or of AutoencoderKL (frame-wise decoder).
struct VaeConfig {
  bool temporal_decoder = true;  ///< false: AutoencoderKL, has post_quant_conv, no temporal layers
  int in_channels = 3;
  int out_channels = 3;
  std::vector<int> block_out_channels = {128, 256, 512, 512};
  int layers_per_block = 2;
  int latent_channels = 4;
  double scaling_factor = 0.18215;
  bool force_upcast = true;

  /// Pixels a latent cell covers along each side (8 for SVD).
  int factor() const { return 1 << (static_cast<int>(block_out_channels.size()) - 1); }
};

/// image_encoder/config.json of CLIPVisionModelWithProjection, with the normalisation of
/// feature_extractor/preprocessor_config.json.
struct ClipVisionConfig {
  int hidden_size = 1280;
  int intermediate_size = 5120;
  int num_hidden_layers = 32;
  int num_attention_heads = 16;
  int image_size = 224;
  int patch_size = 14;
  int num_channels = 3;
  int projection_dim = 1024;
  std::string hidden_act = "gelu";  ///< "gelu" (erf) or "quick_gelu"
  double layer_norm_eps = 1e-5;
  std::vector<double> image_mean = {0.48145466, 0.4578275, 0.40821073};
  std::vector<double> image_std = {0.26862954, 0.26130258, 0.27577711};
};

/// scheduler/scheduler_config.json: the Karras schedule of EDM.
struct SchedulerConfig {
  double sigma_min = 0.002;
  double sigma_max = 700.0;
  double rho = 7.0;
};

/// What a model suggests when the request leaves it open; 0 or negative: the values
/// released for models of this length.
struct ModelDefaults {
  int frames = 25;
  int steps = 0;
  double min_guidance = -1;  ///< negative: the profile decides
  double max_guidance = -1;
  int width = 1024;  ///< of a landscape image; swapped for a portrait one
  int height = 576;
  double motion_bucket_id = 127;
};

struct ModelConfig {
  UNetConfig unet;
  VaeConfig vae;
  ClipVisionConfig clip;
  SchedulerConfig scheduler;
  ModelDefaults defaults;

  /// Both sides of the video are multiples of this: what VAE and UNet halve (64 for SVD).
  int size_multiple() const {
    return vae.factor() << (static_cast<int>(unet.block_out_channels.size()) - 1);
  }
};

/// A parameter that a network declares: its published diffusers name and shape.
struct ExpectedTensor {
  std::string name;
  std::vector<std::int64_t> shape;
};

}  // namespace svd
