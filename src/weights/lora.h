#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "weights/fingerprint.h"

namespace svd::weights {

/// Low-rank changes of a UNet's linear layers (arXiv 2106.09685): weight + strength * alpha / rank
/// * up * down, where alpha is the rank if nothing names it. Layouts that are read:
///
///     unet.LAYER.lora.down.weight and .lora.up.weight (diffusers, SVD_Xtend)
///
///     unet.LAYER.lora_A.weight and .lora_B.weight, base_model.model.LAYER... (peft)
///
///     unet.ATTENTION.processor.to_q_lora.down.weight, ... (diffusers' old processors)
///
/// and LAYER.alpha or LAYER.lora.alpha, if any; of a layer without, alpha is what LoraConfig says.
class Lora {
 public:
  /// `strength` may be negative or above 1. Throws Error{model} for a file with other tensors, with
  /// half of a pair, with values that are not finite, or with a LoraConfig that cannot be read.
  static Lora open(const std::filesystem::path& path, double strength);

  const std::filesystem::path& path() const { return path_; }
  double strength() const { return strength_; }

  /// Names of the weights that it changes, in diffusers' naming ("....to_q.weight").
  std::vector<std::string> names() const;

  /// Whether the change of a weight [out, in] has that shape.
  bool fits(const std::string& name, const std::vector<std::int64_t>& shape) const;

  bool changes(const std::string& name) const { return pairs_.contains(name); }

  /// Adds all that it is to a fingerprint.
  void add_to(Fingerprint& fingerprint) const;

  /// Adds its change to a float32 weight, if it has one for that name.
  void add_to(const std::string& name, const at::Tensor& weight) const;

 private:
  struct Pair {
    at::Tensor down;  ///< [rank, in]
    at::Tensor up;    ///< [out, rank]
    double scale = 1;
  };
  std::filesystem::path path_;
  double strength_ = 1;
  std::map<std::string, Pair> pairs_;
};

/// A LoRA's file in a folder, as diffusers names it.
inline constexpr const char* kLoraFile = "pytorch_lora_weights.safetensors";

/// "NAME_OR_FILE[:strength]" taken apart. Throws Error{usage}.
struct LoraChoice {
  std::string name;
  double strength = 1;
};
LoraChoice parse_lora(const std::string& text);

/// The file of a choice: the path itself, or NAME.safetensors in the folder loras of the model
/// (beside it, if that is a file) or of `models_dir`. Throws Error{model} naming what is there.
std::filesystem::path find_lora(const std::string& name, const std::filesystem::path& model,
                                const std::optional<std::filesystem::path>& models_dir);

}  // namespace svd::weights
