#pragma once

#include "base/model_config.h"
#include "networks/vae/autoencoder.h"
#include "training/objective.h"

namespace svd::training {

/// The autoencoder's: L1 and squared error of the pixels, L1 of edges and of the means of blocks
/// with the settings' weights and, where the encoder is trained, the KL divergence of the latents
/// from a unit normal (arXiv 2112.10752, section 3.1, without its perceptual and adversarial parts,
/// which need networks of their own).
class VaeObjective : public Objective {
 public:
  /// `batches`: whose pictures an untrained encoder is begun with.
  VaeObjective(const TrainConfig& config, Batches& batches, const c10::Device& device);

  std::vector<Trainable> trainables() override;
  const std::string& base_id() const override { return base_id_; }
  at::Tensor loss(const std::vector<ClipRef>& clips, const at::Generator& generator) override;
  std::map<std::string, double> details() const override;
  std::vector<std::pair<std::string, at::Tensor>> state() const override {
    return {{"latent_moments", latent_moments_}};
  }

  /// Writes encoder and decoder. After the stage vae_image the scaling factor becomes 1 over the
  /// latents' standard deviation (arXiv 2112.10752, appendix G), of the encoder as it is trained,
  /// over the last steps.
  void save(const std::filesystem::path& folder, const std::vector<at::Tensor>& values) override;

 private:
  std::vector<nn::Parameter> parameters();
  bool is_trained(const std::string& name) const;
  at::Tensor pixels_of(const std::vector<ClipRef>& clips, const at::Generator& generator) const;

  TrainConfig config_;
  c10::Device device_;
  ModelConfig model_;
  networks::AutoencoderEncoder encoder_;
  networks::AutoencoderTemporalDecoder decoder_;
  at::Tensor square_;      ///< squared error of the last batch
  at::Tensor divergence_;  ///< its KL divergence; undefined: not a part of the loss
  /// [2], float64: moving averages of the latents and of their squares; 0: none yet
  at::Tensor latent_moments_;
  std::string base_id_;
};

}  // namespace svd::training
