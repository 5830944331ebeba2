#pragma once

#include <map>
#include <tuple>

#include "networks/unet/unet_spatio_temporal_condition.h"
#include "training/latents.h"
#include "training/objective.h"

namespace svd::training {

/// The UNet's: EDM's denoising loss (arXiv 2311.15127, appendix D.2) with image-to-video
/// conditioning; in the stage image of single frames, without a picture, which would be the answer.
/// The noise level of each clip is drawn from the stage's distribution;
/// lambda = (1 + sigma^2) / sigma^2 makes the loss the squared error of the network's own output.
/// In the stage lora the network stays as it is, and what is trained is a pair of low-rank matrices
/// for each projection of the self-attention over frames (section 4.3.1), and for value and output
/// of the cross-attention beside it, written as loras/NAME.safetensors wants it (weights/lora.h),
/// weights::kLoraFile.
class UNetObjective : public Objective {
 public:
  UNetObjective(const TrainConfig& config, const std::vector<ClipCache>& caches,
                const c10::Device& device, const LatentCache::Progress& on_progress);

  std::vector<Trainable> trainables() override;
  const std::string& base_id() const override { return base_id_; }
  at::Tensor loss(const std::vector<ClipRef>& clips, const at::Generator& generator) override;
  void save(const std::filesystem::path& folder, const std::vector<at::Tensor>& values) override;

 private:
  struct Conditions {
    at::Tensor embeds;   ///< [B, 1, C]
    at::Tensor latents;  ///< [B, c, h, w]
    at::Tensor ids;      ///< [B, 3]
  };
  Conditions conditions_of(const std::vector<ClipRef>& clips, const at::Generator& generator);
  /// A clip's first frame as the network gets it.
  struct Picture {
    double strength;     ///< of its noise
    at::Tensor embed;    ///< [1, C]
    at::Tensor latents;  ///< [c, h, w]
  };
  Picture picture_of(const ClipRef& clip, const at::Generator& generator) const;
  /// Of the stage image: a strength, and what stands for a picture that is left out.
  Picture no_picture(const ClipRef& clip, const at::Generator& generator) const;
  /// One of the clip's `augmentation_draws` pictures; the same whenever it is asked for.
  const Picture& drawn_picture(const ClipRef& clip, const at::Generator& generator);
  bool is_trained(const std::string& name) const;
  void add_adapters();
  /// Puts base + up * down in the place of every adapted weight, with gradients.
  void apply_adapters() const;

  /// A weight with its low-rank change.
  struct Adapter {
    nn::Parameter parameter;
    at::Tensor base;  ///< [out, in]
    at::Tensor down;  ///< [rank, in]
    at::Tensor up;    ///< [out, rank], begins at 0
  };

  TrainConfig config_;
  c10::Device device_;
  ModelConfig model_;
  Encoders encoders_;
  LatentCache latents_;
  std::map<std::tuple<std::string, std::size_t, std::int64_t>, Picture> pictures_;
  networks::UNetSpatioTemporalConditionModel unet_;
  std::vector<Adapter> adapters_;
  std::string base_id_;
};

}  // namespace svd::training
