#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace svd::training {

/// The published pipeline's stages (arXiv 2311.15127, sections 3 and 4, appendix D).
enum class Stage {
  vae_image,  ///< encoder and decoder on single frames
  vae_video,  ///< the decoder's temporal layers on clips, the encoder frozen
  image,      ///< UNet on single frames
  video,      ///< UNet on clips: pretraining, image-to-video and high-quality finetuning
  lora,       ///< low-rank matrices on the UNet's temporal attention
};
const char* to_string(Stage stage);
bool trains_vae(Stage stage);

/// log sigma of the noise: normal with this mean and deviation.
struct NoiseLevels {
  double p_mean = 0.7;
  double p_std = 1.6;
};

/// A file of `svd-gen train --config`. Keys of the file are the names of the fields.
struct TrainConfig {
  Stage stage = Stage::video;
  std::filesystem::path model;  ///< diffusers folder; parts without weights are initialised
  std::string model_name;       ///< as the file has it, where `model` was looked up by name
  std::filesystem::path
      output;  ///< folder of the run: model/, checkpoint.safetensors, metrics.jsonl
  std::vector<std::filesystem::path> data;  ///< caches
  std::vector<std::string> motions;         ///< of the data, only these; empty: all
  std::int64_t frames = 0;                  ///< of each clip, the first; 0: all that it has
  std::int64_t crop = 0;                    ///< vae: train on random squares; 0: whole frames

  std::int64_t steps = 1000;
  std::int64_t batch = 8;
  std::int64_t accumulate = 1;  ///< batches a step
  std::uint64_t seed = 0;

  double learning_rate = 1e-4;
  std::int64_t warmup_steps = 100;
  bool cosine_decay = false;  ///< to a tenth at the last step
  double beta1 = 0.9;
  double beta2 = 0.999;
  double weight_decay = 0.01;
  double clip_norm = 1;
  double ema_decay = 0.9999;  ///< after a warm-up: min(decay, (1 + step) / (10 + step))

  bool temporal_only = false;  ///< spatial layers stay as they are
  bool gradient_checkpointing = false;
  bool float16 = true;    ///< weights of the model that is written
  bool bfloat16 = false;  ///< autocast; weights, optimiser and sums stay float32

  NoiseLevels noise;
  NoiseLevels augmentation = {-3, 0.5};  ///< of the conditioning pixels
  std::int64_t augmentation_draws = 0;   ///< noises of a clip's picture, then reused; 0: always new
  double dropout = 0.1;                  ///< of embedding, of image latents and of both
  double kl_weight = 1e-4;               ///< vae
  double gradient_weight = 0;            ///< vae: L1 of the differences of neighbouring pixels
  double block_weight = 0;         ///< vae: L1 of the means of the blocks that a latent cell covers
  std::int64_t rank = 16;          ///< lora
  bool any_motion_bucket = false;  ///< lora: told any bucket instead of the clip's own

  std::int64_t log_every = 10;
  std::int64_t checkpoint_every = 500;
  std::vector<std::string> samples;  ///< pictures, rendered at every checkpoint
};

/// Throws Error{usage} naming file, key and value. Relative paths are those of the current folder.
TrainConfig read_train_config(const std::filesystem::path& path);

/// Everything of `config`, as written into the run's folder.
nlohmann::ordered_json to_json(const TrainConfig& config);

}  // namespace svd::training
