#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/model_config.h"
#include "weights/checkpoint.h"

namespace svd::weights {

// Names in Stability's single file begin with one of these.
inline constexpr std::string_view kUNetPrefix = "model.diffusion_model.";
inline constexpr std::string_view kClipPrefix = "conditioner.embedders.0.open_clip.model.";
inline constexpr std::string_view kConditionVaePrefix = "conditioner.embedders.3.encoder.";
inline constexpr std::string_view kFirstStagePrefix = "first_stage_model.";

/// How a diffusers tensor is made from the published one.
enum class Transform {
  same,
  first_third,  ///< rows of the joint q, k, v matrix
  second_third,
  last_third,
  transpose,  ///< [in, out] -> [out, in]
  squeeze,    ///< 1x1 convolution [out, in, 1, 1] -> [out, in]
};

/// One row of a module's key list: names below the module's prefix.
struct KeyRule {
  const char* diffusers;
  const char* published;
  Transform transform = Transform::same;
};

/// One tensor in both namings.
struct KeyEntry {
  Part part;
  std::string diffusers;
  std::string published;
  Transform transform = Transform::same;
};

/// The complete mapping between diffusers' names and those of Stability's single file for a
/// configuration.
class KeyTable {
 public:
  explicit KeyTable(const ModelConfig& config);

  const std::vector<KeyEntry>& entries() const { return entries_; }
  const KeyEntry* find(Part part, const std::string& diffusers) const;  ///< null: no such key

 private:
  /// The tensors of one module; prefixes end with a dot or are empty.
  void add(Part part, const std::string& diffusers, const std::string& published,
           std::span<const KeyRule> rules);
  void add_unet(const UNetConfig& config);
  void add_attention(const std::string& diffusers, const std::string& published, int layers);
  void add_res_block(const std::string& diffusers, const std::string& published, int in, int out);
  std::vector<int> add_unet_down(const UNetConfig& config);  ///< channels of the skips
  void add_unet_up(const UNetConfig& config, std::vector<int> skips);
  void add_vae_encoder(const VaeConfig& config);
  void add_vae_decoder(const VaeConfig& config);
  void add_vae_block(const std::string& diffusers, const std::string& published, int in, int out,
                     bool temporal);
  void add_vae_middle(const std::string& diffusers, const std::string& published, int channels,
                      bool temporal);
  void add_clip(const ClipVisionConfig& config);

  std::vector<KeyEntry> entries_;
  std::map<std::pair<Part, std::string>, std::size_t> by_diffusers_;
};

/// The shape that the published tensor has for a diffusers tensor of `shape`.
std::vector<std::int64_t> published_shape(Transform transform, std::vector<std::int64_t> shape);

/// The diffusers tensor from the published one: a view where possible, not contiguous in general.
at::Tensor apply(Transform transform, const at::Tensor& published);

/// Tensors of published single files that nobody reads: CLIP's text side and normalisation
/// buffers, the second copies of VAE encoder and decoder, and the denoiser's tables.
bool is_leftover(std::string_view published);

}  // namespace svd::weights
