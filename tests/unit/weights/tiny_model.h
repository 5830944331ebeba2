#pragma once

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "key_lists.h"
#include "temporary.h"
#include "weights/checkpoint.h"
#include "weights/safetensors.h"

namespace svd::weights {

using NamedTensors = std::map<std::string, at::Tensor>;

inline void save(const std::filesystem::path& path, const NamedTensors& tensors) {
  std::filesystem::create_directories(path.parent_path());
  save_safetensors(path, {tensors.begin(), tensors.end()});
}

/// The tiny model of tests/golden/make_keys.py, every element of every tensor another number.
class TinyModel {
 public:
  explicit TinyModel(bool temporal = true) : temporal_(temporal) {
    float next = 0;
    for (const Part part : {Part::unet, Part::vae, Part::image_encoder}) {
      for (const auto& [name, shape] : list(part)) {
        std::int64_t count = 1;
        for (const std::int64_t size : shape) count *= size;
        parts[part][name] = (at::arange(count, at::kFloat) + next).reshape(shape);
        next += static_cast<float>(count % 1000);
      }
    }
  }

  Shapes list(Part part) const {
    std::string name = std::string("tiny_") + to_string(part);
    if (part == Part::vae && !temporal_) name += "_image_decoder";
    return key_list(name);
  }

  std::vector<ExpectedTensor> expected(Part part) const {
    std::vector<ExpectedTensor> all;
    for (const auto& [name, shape] : list(part)) all.push_back({name, shape});
    return all;
  }

  /// Configuration files by relative path, as diffusers writes them (abridged).
  std::map<std::string, Json> configs() const {
    return {
        {"model_index.json",
         Json::parse(
             R"({"_class_name": "StableVideoDiffusionPipeline", "_diffusers_version": "0.24.0",
             "vae": ["diffusers", "AutoencoderKLTemporalDecoder"]})")},
        {"unet/config.json",
         Json::parse(
             R"({"_class_name": "UNetSpatioTemporalConditionModel", "in_channels": 8, "out_channels": 4,
             "addition_time_embed_dim": 32, "projection_class_embeddings_input_dim": 96,
             "block_out_channels": [32, 64], "cross_attention_dim": 32, "layers_per_block": 1,
             "down_block_types": ["CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"],
             "up_block_types": ["UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"],
             "num_attention_heads": [1, 2], "num_frames": 14, "sample_size": 96, "transformer_layers_per_block": 2})")},
        {"vae/config.json",
         {{"_class_name", temporal_ ? "AutoencoderKLTemporalDecoder" : "AutoencoderKL"},
          {"block_out_channels", {32, 64}},
          {"down_block_types", {"DownEncoderBlock2D", "DownEncoderBlock2D"}},
          {"layers_per_block", 2},
          {"latent_channels", 4},
          {"scaling_factor", 0.18215},
          {"force_upcast", true}}},
        {"image_encoder/config.json",
         Json::parse(
             R"({"architectures": ["CLIPVisionModelWithProjection"], "model_type": "clip_vision_model",
             "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 1,
             "image_size": 32, "patch_size": 16, "projection_dim": 32, "hidden_act": "gelu", "torch_dtype": "float16"})")},
        {"scheduler/scheduler_config.json",
         Json::parse(R"({"_class_name": "EulerDiscreteScheduler", "prediction_type": "v_prediction",
             "timestep_type": "continuous", "timestep_spacing": "leading", "use_karras_sigmas": true,
             "sigma_min": 0.002, "sigma_max": 700.0, "trained_betas": null})")},
    };
  }

  void write_configs(const std::filesystem::path& folder) const {
    for (const auto& [path, json] : configs()) write_file(folder / path, json.dump());
  }

  void write_folder(const std::filesystem::path& folder) const {
    write_configs(folder);
    save(folder / "unet/diffusion_pytorch_model.safetensors", parts.at(Part::unet));
    save(folder / "vae/diffusion_pytorch_model.safetensors", parts.at(Part::vae));
    save(folder / "image_encoder/model.safetensors", parts.at(Part::image_encoder));
  }

  /// The same weights under published names, by undoing what a converter does, and zeros for the
  /// left-over tensors. Names and shapes come from the published classes, not from the key table.
  NamedTensors single_file() const {
    std::map<std::string, std::vector<at::Tensor>> rows;
    for (const char* third : {"q_proj", "k_proj", "v_proj", ""}) {
      for (const KeyPair& pair : tiny_pairs(temporal_)) {
        const bool joint = pair.published.find(".in_proj_") != std::string::npos;
        const std::string wanted = joint ? third : "";
        if (joint == (*third == '\0') || pair.diffusers.find(wanted) == std::string::npos) continue;
        rows[pair.published].push_back(part_named(pair.part).at(pair.diffusers));
      }
    }
    NamedTensors out;
    for (const auto& [name, shape] : single_file_list("tiny_", temporal_)) {
      const auto found = rows.find(name);
      if (found == rows.end()) {
        out[name] = at::zeros(shape);
      } else if (name.ends_with("visual.proj")) {
        out[name] = found->second.at(0).t().contiguous();
      } else {
        out[name] = at::cat(found->second).reshape(shape);
      }
    }
    return out;
  }

  std::map<Part, NamedTensors> parts;

 private:
  const NamedTensors& part_named(const std::string& name) const {
    return parts.at(name == "unet" ? Part::unet : name == "vae" ? Part::vae : Part::image_encoder);
  }
  bool temporal_;
};

}  // namespace svd::weights
