#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace svd::weights {

/// What peft's LoraConfig says of how strongly a LoRA's matrices count.
struct LoraConfig {
  double alpha = 0;
  bool is_rank_stabilised = false;  ///< rsLoRA, arXiv 2312.03732
  /// Other alphas, by the end of a layer's name; the first that fits counts.
  std::vector<std::pair<std::string, double>> alpha_pattern;

  /// By what up * down of a layer ("....attn1.to_q") is multiplied: alpha / rank, or with rsLoRA
  /// alpha / sqrt(rank).
  double scale(const std::string& layer, std::int64_t rank) const;
};

/// From the header of a safetensors file, where newer versions of diffusers keep it: the entry
/// lora_adapter_metadata, its keys as they are or after "unet.". `source` names the file. Nothing
/// where there is none. Throws Error{model} for one that is damaged or asks for DoRA.
std::optional<LoraConfig> lora_config_in(const std::map<std::string, std::string>& metadata,
                                         const std::string& source);

/// From adapter_config.json beside a LoRA's file, where peft's save_pretrained writes it; otherwise
/// as above.
std::optional<LoraConfig> lora_config_beside(const std::filesystem::path& file);

}  // namespace svd::weights
