#include "weights/single_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <optional>
#include <string_view>

#include "base/json.h"
#include "weights/config_reader.h"
#include "weights/key_table.h"
#include "weights/shape_reader.h"

namespace svd::weights {
namespace {

namespace fs = std::filesystem;

constexpr int kPublishedHeadChannels = 64;

struct Sidecar {
  fs::path path;
  std::optional<int> frames;
  std::optional<int> num_head_channels;
  std::optional<int> clip_head_channels;
};

Sidecar read_sidecar(const fs::path& file) {
  Sidecar sidecar;
  sidecar.path = fs::path(file).replace_extension(".json");
  std::error_code code;
  if (!fs::exists(sidecar.path, code)) return sidecar;
  const Json json = read_json_file(sidecar.path, ErrorKind::model);
  const JsonObject object(json, sidecar.path.string(), ErrorKind::model);
  object.allow_only({"frames", "num_head_channels", "clip_head_channels"});
  const auto number = [&](const char* key, int max) -> std::optional<int> {
    if (!object.has(key)) return {};
    return static_cast<int>(object.integer(key, 1, max));
  };
  sidecar.frames = number("frames", 1000);
  sidecar.num_head_channels = number("num_head_channels", 16384);
  sidecar.clip_head_channels = number("clip_head_channels", 16384);
  return sidecar;
}

struct Stranger {
  std::string_view part_of_a_name;
  const char* what;
};
constexpr Stranger kStrangers[] = {
    {"second_moment.",
     "the checkpoint of a training run, whose model is in the folder model beside it"},
    {"lora", "a LoRA, an addition to a model: --lora adds it to one"},
    {"controlnet_", "a ControlNet, an addition to a model, which svd-gen does not load"},
    {"time_mix_blocks", "an SV4D model, another architecture than SVD"},
    {"motion_blocks", "an SV4D model, another architecture than SVD"},
    {"flow_blocks", "a DragNUWA model, which adds motion inputs to SVD"},
    {"cc_projection", "a MotionCtrl model, which adds camera inputs to SVD"},
    {"conditioner.embedders.1.encoder.",
     "an SV3D model, which turns objects and takes other inputs"},
    {"conditioner.embedders.1.model.", "a Stable Diffusion XL checkpoint, which makes images"},
    {"cond_stage_model.", "a Stable Diffusion checkpoint, which makes images"},
};

[[noreturn]] void refuse(const SafetensorsFile& file, const std::string& what,
                         const std::string& hint = {}) {
  throw Error(ErrorKind::model, file.path().string() + ": is " + what, hint);
}

void refuse_strangers(const SafetensorsFile& file) {
  for (const TensorInfo& info : file.tensors()) {
    for (const Stranger& stranger : kStrangers) {
      if (info.name.find(stranger.part_of_a_name) != std::string::npos) refuse(file, stranger.what);
    }
  }
  const ShapeReader unet(file, std::string(kUNetPrefix));
  if (file.find("down_blocks.0.resnets.0.spatial_res_block.conv1.weight") != nullptr) {
    refuse(file, "a UNet alone, with the names of a diffusers folder",
           "put it into the folder unet/ of a complete model and give that folder");
  }
  if (!unet.has("input_blocks.1.0.time_stack.in_layers.0.weight")) {
    refuse(file, unet.has("input_blocks.0.0.weight")
                     ? "a model without temporal layers, which makes images"
                     : "no Stable Video Diffusion model: it has no tensor "
                       "'model.diffusion_model.input_blocks.1.0.time_stack.in_layers.0.weight'");
  }
  const int in_channels = unet.size("input_blocks.0.0.weight", 4, 1);
  if (in_channels == 9) refuse(file, "a frame interpolation model (9 input channels)");
  const int vector = unet.size("label_emb.0.0.weight", 2, 1);
  if (vector == 256) refuse(file, "an SV3D_u model, which turns objects and takes other inputs");
  if (vector == 1280) refuse(file, "an SV3D_p model, which turns objects and takes other inputs");
  if (vector % 3 != 0) {
    refuse(file, fmt::format("a video model with a condition vector of {} numbers; SVD's three "
                             "conditions take a multiple of 3",
                             vector));
  }
}

int heads_of(const SafetensorsFile& file, const Sidecar& sidecar, int channels, int head_channels,
             const char* key, const char* part) {
  if (channels % head_channels == 0) return channels / head_channels;
  throw Error(ErrorKind::model,
              fmt::format("{}: {}: {} channels cannot be divided into attention heads of {}, and "
                          "the file does not say how many heads there are",
                          file.path().string(), part, channels, head_channels),
              fmt::format("write {} beside it, with {{\"{}\": N}}, N being the channels of a head",
                          sidecar.path.string(), key));
}

/// A level that begins with the published input block `input`. Levels without attention take depth
/// and width of the context from the middle, which always has it.
void append_level(const SafetensorsFile& file, const Sidecar& sidecar, const std::string& input,
                  UNetConfig& config) {
  const ShapeReader unet(file, std::string(kUNetPrefix));
  const bool attention = unet.has(input + "1.norm.weight");
  const std::string layers =
      attention ? input + "1.transformer_blocks." : "middle_block.1.transformer_blocks.";
  const int channels = unet.size(input + "0.in_layers.2.weight", 4, 0);
  config.block_out_channels.push_back(channels);
  config.layers_per_block.push_back(0);
  config.down_block_types.emplace_back(attention ? "CrossAttnDownBlockSpatioTemporal"
                                                 : "DownBlockSpatioTemporal");
  config.up_block_types.insert(config.up_block_types.begin(), attention
                                                                  ? "CrossAttnUpBlockSpatioTemporal"
                                                                  : "UpBlockSpatioTemporal");
  config.transformer_layers_per_block.push_back(unet.count(layers, ".attn2.to_k.weight"));
  config.cross_attention_dim.push_back(unet.size(layers + "0.attn2.to_k.weight", 2, 1));
  config.num_attention_heads.push_back(
      heads_of(file, sidecar, channels, sidecar.num_head_channels.value_or(kPublishedHeadChannels),
               "num_head_channels", "UNet"));
}

UNetConfig infer_unet(const SafetensorsFile& file, const Sidecar& sidecar) {
  const ShapeReader unet(file, std::string(kUNetPrefix));
  UNetConfig config;
  config.in_channels = unet.size("input_blocks.0.0.weight", 4, 1);
  config.out_channels = unet.size("out.2.weight", 4, 0);
  config.projection_class_embeddings_input_dim = unet.size("label_emb.0.0.weight", 2, 1);
  config.addition_time_embed_dim = config.projection_class_embeddings_input_dim / 3;
  config.block_out_channels.clear();
  config.down_block_types.clear();
  config.up_block_types.clear();
  config.layers_per_block.clear();
  config.cross_attention_dim.clear();
  config.transformer_layers_per_block.clear();
  config.num_attention_heads.clear();
  bool new_level = true;
  for (int i = 1;; ++i) {
    const std::string input = fmt::format("input_blocks.{}.", i);
    if (unet.has(input + "0.op.weight") && !new_level) {
      new_level = true;
      continue;
    }
    if (!unet.has(input + "0.in_layers.2.weight")) break;
    if (new_level) append_level(file, sidecar, input, config);
    new_level = false;
    ++config.layers_per_block.back();
  }
  return config;
}

VaeConfig infer_vae(const SafetensorsFile& file) {
  const ShapeReader encoder(file, std::string(kConditionVaePrefix) + "encoder.");
  const ShapeReader decoder(file, std::string(kFirstStagePrefix) + "decoder.");
  VaeConfig config;
  config.temporal_decoder = decoder.has("mid.block_1.mix_factor");
  config.in_channels = encoder.size("conv_in.weight", 4, 1);
  config.out_channels = decoder.size("conv_out.weight", 4, 0);
  config.latent_channels = decoder.size("conv_in.weight", 4, 1);
  config.layers_per_block = encoder.count("down.0.block.", ".conv1.weight");
  config.block_out_channels.clear();
  const int levels = encoder.count("down.", ".block.0.conv1.weight");
  for (int level = 0; level < levels; ++level) {
    config.block_out_channels.push_back(
        encoder.size(fmt::format("down.{}.block.0.conv1.weight", level), 4, 0));
  }
  return config;
}

ClipVisionConfig infer_clip(const SafetensorsFile& file, const Sidecar& sidecar) {
  const ShapeReader clip(file, std::string(kClipPrefix) + "visual.");
  ClipVisionConfig config;
  config.hidden_size = clip.size("conv1.weight", 4, 0);
  config.num_channels = clip.size("conv1.weight", 4, 1);
  config.patch_size = clip.size("conv1.weight", 4, 2);
  config.intermediate_size = clip.size("transformer.resblocks.0.mlp.c_fc.weight", 2, 0);
  config.num_hidden_layers = clip.count("transformer.resblocks.", ".mlp.c_fc.weight");
  config.projection_dim = clip.size("proj", 2, 1);
  const int positions = clip.size("positional_embedding", 2, 0) - 1;
  const int side = static_cast<int>(std::lround(std::sqrt(positions)));
  if (side < 1 || side * side != positions || config.patch_size > 4096 || side > 4096) {
    throw Error(ErrorKind::model,
                fmt::format("{}: tensor '{}visual.positional_embedding' has {} rows, expected a "
                            "square number of patches and one more",
                            file.path().string(), kClipPrefix, positions + 1));
  }
  config.image_size = side * config.patch_size;
  const int assumed = config.hidden_size % 80 == 0 ? 80 : 64;
  config.num_attention_heads =
      heads_of(file, sidecar, config.hidden_size, sidecar.clip_head_channels.value_or(assumed),
               "clip_head_channels", "CLIP image encoder");
  return config;
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/// svd and svd-xt have the same names and shapes: the file name decides, or the more common one.
void decide_variant(const SafetensorsFile& file, const Sidecar& sidecar, SingleFileModel& model) {
  const std::string stem = lower(file.path().stem().string());
  const bool xt = stem.find("xt") != std::string::npos;
  const bool plain = stem.starts_with("svd") &&
                     (stem.size() == 3 || std::isalnum(static_cast<unsigned char>(stem[3])) == 0);
  const bool second = stem.find("1_1") != std::string::npos ||
                      stem.find("1.1") != std::string::npos ||
                      stem.find("1-1") != std::string::npos;
  const bool named = xt || plain;
  int& frames = model.config.unet.num_frames;
  frames = plain && !xt ? 14 : 25;
  if (sidecar.frames) {
    frames = *sidecar.frames;
  } else if (!named) {
    model.notices.push_back(fmt::format(
        "{}: neither file name nor content tell svd from svd-xt; assuming svd-xt (25 frames). A "
        "file {} with {{\"frames\": 14}} says otherwise",
        file.path().string(), sidecar.path.filename().string()));
  }
  const bool is_svd = named ? !xt : frames == 14;
  model.variant = is_svd ? "svd" : second ? "svd-xt-1.1" : "svd-xt";
  if (!model.config.vae.temporal_decoder) model.variant += "-image-decoder";
}

}  // namespace

SingleFileModel recognise_single_file(const SafetensorsFile& file) {
  refuse_strangers(file);
  const Sidecar sidecar = read_sidecar(file.path());
  SingleFileModel model;
  model.config.unet = infer_unet(file, sidecar);
  model.config.vae = infer_vae(file);
  model.config.clip = infer_clip(file, sidecar);
  decide_variant(file, sidecar, model);
  check_config(model.config, file.path().string());
  model.config.defaults = default_request(model.config);
  return model;
}

}  // namespace svd::weights
