#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "networks/clip/clip_vision_model.h"
#include "networks/vae/autoencoder.h"
#include "training/batches.h"

namespace svd::training {

/// The frozen networks of a model that turn pictures into what the UNet reads.
class Encoders {
 public:
  /// `model`: a diffusers folder; an image encoder without weights is initialised from seed 0.
  Encoders(const std::filesystem::path& model, const c10::Device& device);

  /// pixels: [N, 3, H, W], anywhere -> float32 [N, c, h, w] on the device, the mode, unscaled.
  at::Tensor encode(const at::Tensor& pixels) const;
  /// frames: uint8 [N, H, W, 3], on the CPU -> [N, 1, projection_dim] on the device.
  at::Tensor embed(const at::Tensor& frames) const;
  double scaling_factor() const { return config_.vae.scaling_factor; }
  /// A name for the VAE's encoder: the same weights, the same name.
  const std::string& vae_id() const { return vae_id_; }
  /// A name for the image encoder, likewise.
  const std::string& clip_id() const { return clip_id_; }
  /// The image encoder's weights, where the model had none: a model folder has to hold them.
  const std::vector<std::pair<std::string, at::Tensor>>& clip_begun_here() const {
    return clip_begun_here_;
  }

 private:
  ModelConfig config_;
  c10::Device device_;
  networks::AutoencoderEncoder vae_;
  networks::ClipVisionModelWithProjection clip_;
  std::vector<std::pair<std::string, at::Tensor>> clip_begun_here_;
  std::string vae_id_;
  std::string clip_id_;
};

/// The latents of every clip of the caches, encoded once for a VAE and kept beside the data, a file
/// latents-ID-SHARD for a shard: float16 on the CPU, [F, c, h, w] a clip, unscaled, mapped. Those
/// of other clips, which lay in the folder before, are replaced. What was encoded before a stop
/// stays, shard by shard.
class LatentCache {
 public:
  using Progress = std::function<void(std::int64_t done, std::int64_t total)>;
  /// Encodes what is missing: `total` clips, of which `done` are finished. `on_progress` may throw.
  LatentCache(const std::vector<ClipCache>& caches, const Encoders& encoders,
              const Progress& on_progress);

  at::Tensor of(const ClipRef& clip) const;  ///< float16 [F, c, h, w]

 private:
  /// Takes the latents of some clips from a file. False, with nothing taken, if it does not hold
  /// them.
  bool keep(const ClipCache& cache, const std::vector<std::size_t>& clips,
            const std::filesystem::path& path);

  std::map<std::filesystem::path, std::vector<at::Tensor>> latents_;  ///< by folder of the cache
};

}  // namespace svd::training
