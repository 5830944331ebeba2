#include "weights/config_reader.h"

#include <fmt/format.h>

#include <algorithm>

namespace svd::weights {
namespace {

namespace fs = std::filesystem;

// Far beyond any published model; they keep products of configuration numbers from overflowing.
constexpr int kMaxChannels = 16384;
constexpr int kMaxLevels = 8;
constexpr int kMaxLayers = 256;
constexpr int kMaxFrames = 1000;

constexpr const char* kDownTypes[] = {"CrossAttnDownBlockSpatioTemporal",
                                      "DownBlockSpatioTemporal"};
constexpr const char* kUpTypes[] = {"CrossAttnUpBlockSpatioTemporal", "UpBlockSpatioTemporal"};

[[noreturn]] void fail(const std::string& source, const std::string& why) {
  throw Error(ErrorKind::model, source + ": " + why);
}

JsonObject object_of(const Json& json, const std::string& source) {
  return JsonObject(json, source, ErrorKind::model);
}

/// `key` must hold `value` where it is given: anything else would change the pixels.
template <class T>
void require(const JsonObject& object, const std::string& key, const T& value,
             const std::string& shown) {
  if (object.has(key) && object.at(key) != Json(value)) {
    object.fail(key, shown + ", the only value that svd-gen supports");
  }
}

void require_class(const JsonObject& object, const std::string& name) {
  require(object, "_class_name", name, name);
}

int small(const JsonObject& object, const char* key, int min, int max, int fallback) {
  return static_cast<int>(object.integer(key, min, max, fallback));
}

/// One number for all levels, or a list with one for each.
std::vector<int> per_level(const JsonObject& object, const char* key, std::size_t levels, int min,
                           int max, std::vector<int> fallback) {
  if (!object.has(key)) {
    if (fallback.size() == 1) fallback.resize(levels, fallback[0]);
    if (fallback.size() != levels) object.fail(key, fmt::format("a list of {} integers", levels));
    return fallback;
  }
  if (!object.at(key).is_array()) {
    return std::vector<int>(levels, static_cast<int>(object.integer(key, min, max)));
  }
  const auto list = object.integers(key, min, max, levels, levels);
  return {list.begin(), list.end()};
}

std::vector<int> channels_of(const JsonObject& object, std::vector<int> fallback) {
  const char* key = "block_out_channels";
  if (!object.has(key)) return fallback;
  const auto list = object.integers(key, 32, kMaxChannels, 1, kMaxLevels);
  if (std::any_of(list.begin(), list.end(), [](auto n) { return n % 32 != 0; })) {
    fail(object.source(),
         fmt::format("'{}' is [{}], expected multiples of 32", key, fmt::join(list, ", ")));
  }
  return {list.begin(), list.end()};
}

template <std::size_t N>
std::vector<std::string> block_types(const JsonObject& object, const char* key, std::size_t levels,
                                     const char* const (&known)[N],
                                     std::vector<std::string> fallback) {
  auto types = object.has(key) ? object.strings(key, levels, levels) : std::move(fallback);
  if (types.size() != levels) object.fail(key, fmt::format("a list of {} strings", levels));
  for (const std::string& type : types) {
    if (std::find(std::begin(known), std::end(known), type) == std::end(known)) {
      fail(object.source(), fmt::format("'{}' contains {}; svd-gen supports {}", key,
                                        printable(type), fmt::join(known, " and ")));
    }
  }
  return types;
}

Json read_config(const fs::path& path) { return read_json_file(path, ErrorKind::model); }

bool is_there(const fs::path& path) {
  std::error_code code;
  return fs::exists(path, code);
}

}  // namespace

UNetConfig parse_unet_config(const Json& json, const std::string& source) {
  const JsonObject object = object_of(json, source);
  require_class(object, "UNetSpatioTemporalConditionModel");
  UNetConfig config;
  config.block_out_channels = channels_of(object, config.block_out_channels);
  const std::size_t levels = config.block_out_channels.size();
  config.in_channels = small(object, "in_channels", 1, 1024, 8);
  config.out_channels = small(object, "out_channels", 1, 1024, 4);
  config.down_block_types =
      block_types(object, "down_block_types", levels, kDownTypes, config.down_block_types);
  config.up_block_types =
      block_types(object, "up_block_types", levels, kUpTypes, config.up_block_types);
  config.addition_time_embed_dim = small(object, "addition_time_embed_dim", 2, kMaxChannels, 256);
  config.projection_class_embeddings_input_dim =
      small(object, "projection_class_embeddings_input_dim", 1, 16 * kMaxChannels, 768);
  config.layers_per_block = per_level(object, "layers_per_block", levels, 1, 16, {2});
  config.cross_attention_dim =
      per_level(object, "cross_attention_dim", levels, 1, kMaxChannels, {1024});
  config.transformer_layers_per_block =
      per_level(object, "transformer_layers_per_block", levels, 1, 16, {1});
  config.num_attention_heads =
      per_level(object, "num_attention_heads", levels, 1, kMaxChannels, {5, 10, 20, 20});
  config.num_frames = small(object, "num_frames", 1, kMaxFrames, 25);
  return config;
}

VaeConfig parse_vae_config(const Json& json, const std::string& source) {
  const JsonObject object = object_of(json, source);
  const std::string name = object.string("_class_name", "AutoencoderKLTemporalDecoder");
  VaeConfig config;
  config.temporal_decoder = name == "AutoencoderKLTemporalDecoder";
  if (!config.temporal_decoder && name != "AutoencoderKL") {
    object.fail("_class_name", "AutoencoderKLTemporalDecoder or AutoencoderKL");
  }
  config.in_channels = small(object, "in_channels", 1, 64, 3);
  config.out_channels = small(object, "out_channels", 1, 64, 3);
  config.block_out_channels = channels_of(object, {64});
  config.layers_per_block = small(object, "layers_per_block", 1, 16, 1);
  config.latent_channels = small(object, "latent_channels", 1, 512, 4);
  config.scaling_factor = object.number("scaling_factor", 1e-6, 1e6, 0.18215);
  config.force_upcast = object.boolean("force_upcast", true);

  const std::size_t levels = config.block_out_channels.size();
  const auto all = [&](const char* type) { return std::vector<std::string>(levels, type); };
  require(object, "down_block_types", all("DownEncoderBlock2D"),
          fmt::format("{} times 'DownEncoderBlock2D'", levels));
  if (config.temporal_decoder) return config;
  require(object, "up_block_types", all("UpDecoderBlock2D"),
          fmt::format("{} times 'UpDecoderBlock2D'", levels));
  require(object, "norm_num_groups", 32, "32");
  require(object, "act_fn", "silu", "'silu'");
  for (const char* key : {"use_quant_conv", "use_post_quant_conv", "mid_block_add_attention"}) {
    require(object, key, true, "true");
  }
  for (const char* key : {"shift_factor", "latents_mean", "latents_std"}) {
    if (object.has(key)) object.fail(key, "null, the only value that svd-gen supports");
  }
  return config;
}

ClipVisionConfig parse_clip_config(const Json& json, const std::string& source) {
  const JsonObject object = object_of(json, source);
  if (object.has("architectures")) {
    const auto names = object.strings("architectures", 0, 16);
    if (!names.empty() && names[0] != "CLIPVisionModelWithProjection") {
      fail(source, fmt::format("'architectures' names {}, expected CLIPVisionModelWithProjection",
                               printable(names[0])));
    }
  }
  require(object, "model_type", "clip_vision_model", "'clip_vision_model'");
  ClipVisionConfig config;
  config.hidden_size = small(object, "hidden_size", 1, kMaxChannels, 768);
  config.intermediate_size = small(object, "intermediate_size", 1, 8 * kMaxChannels, 3072);
  config.num_hidden_layers = small(object, "num_hidden_layers", 1, kMaxLayers, 12);
  config.num_attention_heads = small(object, "num_attention_heads", 1, kMaxChannels, 12);
  config.image_size = small(object, "image_size", 1, 4096, 224);
  config.patch_size = small(object, "patch_size", 1, 4096, 32);
  config.num_channels = small(object, "num_channels", 1, 64, 3);
  config.projection_dim = small(object, "projection_dim", 1, kMaxChannels, 512);
  config.hidden_act = object.string("hidden_act", "quick_gelu");
  if (config.hidden_act != "gelu" && config.hidden_act != "quick_gelu") {
    object.fail("hidden_act", "'gelu' or 'quick_gelu'");
  }
  config.layer_norm_eps = object.number("layer_norm_eps", 1e-12, 1.0, 1e-5);
  return config;
}

SchedulerConfig parse_scheduler_config(const Json& json, const std::string& source) {
  const JsonObject object = object_of(json, source);
  require_class(object, "EulerDiscreteScheduler");
  // The class defaults of these four are other ones, so an absent key is an unsupported value too.
  const auto needed = [&](const char* key, const Json& value, const char* shown) {
    if (!object.has(key) || object.at(key) != value) {
      object.fail(key, std::string(shown) + ", the only value that svd-gen supports");
    }
  };
  needed("prediction_type", "v_prediction", "'v_prediction'");
  needed("timestep_type", "continuous", "'continuous'");
  needed("timestep_spacing", "leading", "'leading'");
  needed("use_karras_sigmas", true, "true");
  require(object, "use_exponential_sigmas", false, "false");
  require(object, "use_beta_sigmas", false, "false");
  require(object, "final_sigmas_type", "zero", "'zero'");
  SchedulerConfig config;
  config.sigma_min = object.number("sigma_min", 1e-9, 1e6);
  config.sigma_max = object.number("sigma_max", 1e-9, 1e6);
  if (config.sigma_min >= config.sigma_max) {
    fail(source, fmt::format("'sigma_min' is {}, expected less than 'sigma_max', which is {}",
                             config.sigma_min, config.sigma_max));
  }
  return config;
}

void parse_preprocessor_config(const Json& json, const std::string& source,
                               ClipVisionConfig& clip) {
  const JsonObject object = object_of(json, source);
  if (object.has("image_mean")) clip.image_mean = object.numbers("image_mean", -100, 100, 3, 3);
  if (object.has("image_std")) clip.image_std = object.numbers("image_std", 1e-6, 1000, 3, 3);
}

void parse_svd_gen(const JsonObject& object, int size_multiple, ModelDefaults& defaults) {
  object.allow_only(
      {"frames", "steps", "min_guidance", "max_guidance", "width", "height", "motion_bucket_id"});
  defaults.frames = small(object, "frames", 1, kMaxFrames, defaults.frames);
  defaults.steps = small(object, "steps", 1, 1000, defaults.steps);
  if (object.has("min_guidance")) defaults.min_guidance = object.number("min_guidance", 0, 100);
  if (object.has("max_guidance")) defaults.max_guidance = object.number("max_guidance", 0, 100);
  defaults.width = small(object, "width", 1, 16384, defaults.width);
  defaults.height = small(object, "height", 1, 16384, defaults.height);
  defaults.motion_bucket_id = object.number("motion_bucket_id", 0, 1023, defaults.motion_bucket_id);
  for (const auto& [key, value] :
       {std::pair("width", defaults.width), {"height", defaults.height}}) {
    if (value % size_multiple != 0)
      object.fail(key, fmt::format("a multiple of {}", size_multiple));
  }
}

ModelDefaults default_request(const ModelConfig& config) {
  ModelDefaults defaults;
  defaults.frames = config.unet.num_frames;
  const int multiple = config.size_multiple();
  defaults.width = std::max(1, defaults.width / multiple) * multiple;
  defaults.height = std::max(1, defaults.height / multiple) * multiple;
  return defaults;
}

ModelConfig read_folder_config(const fs::path& folder) {
  const auto parse = [&](const fs::path& relative, auto parser) {
    const fs::path path = folder / relative;
    return parser(read_config(path), path.string());
  };
  ModelConfig config;
  config.unet = parse("unet/config.json", parse_unet_config);
  config.vae = parse("vae/config.json", parse_vae_config);
  config.clip = parse("image_encoder/config.json", parse_clip_config);
  config.scheduler = parse("scheduler/scheduler_config.json", parse_scheduler_config);
  const fs::path preprocessor = folder / "feature_extractor/preprocessor_config.json";
  if (is_there(preprocessor)) {
    parse_preprocessor_config(read_config(preprocessor), preprocessor.string(), config.clip);
  }
  check_config(config, folder.string());
  config.defaults = default_request(config);
  const fs::path index = folder / "model_index.json";
  if (is_there(index)) {
    const Json json = read_config(index);
    const JsonObject object = object_of(json, index.string());
    require_class(object, "StableVideoDiffusionPipeline");
    if (object.has("svd_gen")) {
      parse_svd_gen(object.object("svd_gen"), config.size_multiple(), config.defaults);
    }
  }
  return config;
}

void check_config(const ModelConfig& config, const std::string& source) {
  const UNetConfig& unet = config.unet;
  const VaeConfig& vae = config.vae;
  const ClipVisionConfig& clip = config.clip;
  const auto check = [&](bool holds, const std::string& why) {
    if (!holds) fail(source, why);
  };
  const auto channels_fit = [](const std::vector<int>& channels) {
    return !channels.empty() && channels.size() <= kMaxLevels &&
           std::all_of(channels.begin(), channels.end(),
                       [](int n) { return n > 0 && n <= kMaxChannels && n % 32 == 0; });
  };
  check(channels_fit(unet.block_out_channels), "UNet channels must be multiples of 32");
  check(channels_fit(vae.block_out_channels), "VAE channels must be multiples of 32");
  for (std::size_t i = 0; i < unet.block_out_channels.size(); ++i) {
    check(unet.block_out_channels[i] % unet.num_attention_heads[i] == 0,
          fmt::format("UNet level {}: {} channels cannot be divided among {} attention heads", i,
                      unet.block_out_channels[i], unet.num_attention_heads[i]));
    check(unet.cross_attention_dim[i] == clip.projection_dim,
          fmt::format("UNet level {} wants image embeddings of {} numbers (cross_attention_dim), "
                      "the image encoder gives {} (projection_dim)",
                      i, unet.cross_attention_dim[i], clip.projection_dim));
  }
  check(unet.out_channels == vae.latent_channels,
        fmt::format("the UNet makes {} channels, the VAE has {} latent channels", unet.out_channels,
                    vae.latent_channels));
  check(unet.in_channels == 2 * vae.latent_channels,
        fmt::format("the UNet takes {} channels, expected {} (noisy and image latents)",
                    unet.in_channels, 2 * vae.latent_channels));
  check(unet.addition_time_embed_dim % 2 == 0 &&
            unet.projection_class_embeddings_input_dim == 3 * unet.addition_time_embed_dim,
        fmt::format("the UNet takes a vector of {} numbers, expected 3 x {} (fps, motion bucket, "
                    "noise augmentation) of even size",
                    unet.projection_class_embeddings_input_dim, unet.addition_time_embed_dim));
  check(vae.in_channels == 3 && vae.out_channels == 3 && clip.num_channels == 3,
        "VAE and image encoder must work on 3 channels (RGB)");
  check(clip.hidden_size % clip.num_attention_heads == 0,
        fmt::format("image encoder: hidden_size {} cannot be divided among {} attention heads",
                    clip.hidden_size, clip.num_attention_heads));
  check(clip.patch_size <= clip.image_size,
        fmt::format("image encoder: patch_size {} is larger than image_size {}", clip.patch_size,
                    clip.image_size));
}

}  // namespace svd::weights
