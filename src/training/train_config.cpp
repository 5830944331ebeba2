#include "training/train_config.h"

#include <algorithm>
#include <array>
#include <utility>

#include "training/scene.h"

namespace svd::training {
namespace {

constexpr std::array<std::pair<Stage, const char*>, 5> kStages = {{
    {Stage::vae_image, "vae_image"},
    {Stage::vae_video, "vae_video"},
    {Stage::image, "image"},
    {Stage::video, "video"},
    {Stage::lora, "lora"},
}};

constexpr std::int64_t kMany = std::int64_t{1} << 40;

Stage stage_of(const JsonObject& object) {
  const std::string name = object.string("stage");
  for (const auto& [stage, known] : kStages)
    if (name == known) return stage;
  object.fail("stage", "vae_image, vae_video, image, video or lora");
}

std::filesystem::path path_of(const JsonObject& object, const std::string& key) {
  const std::string path = object.string(key);
  if (path.empty()) object.fail(key, "a folder");
  return path;
}

NoiseLevels noise_of(const JsonObject& object, const std::string& key, NoiseLevels fallback) {
  if (!object.has(key)) return fallback;
  const JsonObject levels = object.object(key);
  levels.allow_only({"p_mean", "p_std"});
  return {levels.number("p_mean", -20, 20), levels.number("p_std", 0, 20)};
}

nlohmann::ordered_json to_json(const NoiseLevels& levels) {
  return {{"p_mean", levels.p_mean}, {"p_std", levels.p_std}};
}

constexpr unsigned bit(Stage stage) { return 1U << static_cast<unsigned>(stage); }
constexpr unsigned kVae = bit(Stage::vae_image) | bit(Stage::vae_video);
constexpr unsigned kUNet = bit(Stage::image) | bit(Stage::video) | bit(Stage::lora);

constexpr unsigned kClips = bit(Stage::video) | bit(Stage::lora);

/// Keys that only some stages read.
constexpr std::array<std::pair<const char*, unsigned>, 13> kReadIn = {{
    {"crop", kVae},
    {"gradient_weight", kVae},
    {"block_weight", kVae},
    {"kl_weight", bit(Stage::vae_image)},
    {"temporal_only", bit(Stage::vae_video) | bit(Stage::video)},
    {"gradient_checkpointing", kUNet},
    {"noise", kUNet},
    {"augmentation", kUNet},
    {"augmentation_draws", kClips},
    {"dropout", kClips},
    {"samples", kUNet},
    {"rank", bit(Stage::lora)},
    {"any_motion_bucket", bit(Stage::lora)},
}};

/// Those at their defaults pass: a run's config.json has every key.
void refuse_idle_keys(const JsonObject& object, const TrainConfig& config) {
  const nlohmann::ordered_json given = to_json(config), defaults = to_json(TrainConfig{});
  for (const auto& [key, stages] : kReadIn)
    if ((stages & bit(config.stage)) == 0 && given[key] != defaults[key])
      object.fail(key, std::string("it to be left out: the stage ") + to_string(config.stage) +
                           " does not read it");
}

std::vector<std::string> known_keys() {
  std::vector<std::string> keys;
  const nlohmann::ordered_json defaults = to_json(TrainConfig{});
  for (const auto& [key, value] : defaults.items()) keys.push_back(key);
  return keys;
}

}  // namespace

const char* to_string(Stage stage) {
  return std::find_if(kStages.begin(), kStages.end(),
                      [&](const auto& entry) { return entry.first == stage; })
      ->second;
}

bool trains_vae(Stage stage) { return (bit(stage) & kVae) != 0; }

TrainConfig read_train_config(const std::filesystem::path& path) {
  const Json json = read_json_file(path, ErrorKind::usage);
  const JsonObject object(json, path.string(), ErrorKind::usage);
  object.allow_only(known_keys());
  TrainConfig config;
  config.stage = stage_of(object);
  config.model = path_of(object, "model");
  config.output = path_of(object, "output");
  for (const std::string& folder : object.strings("data", 1, 1000)) {
    if (folder.empty()) object.fail("data", "folders of datasets");
    config.data.emplace_back(folder);
  }
  if (object.has("motions")) config.motions = object.strings("motions", 0, 100);
  for (const std::string& motion : config.motions)
    if (!motion_named(motion))
      object.fail("motions",
                  "names such as pan_left or zoom_in; " + printable(motion) + " is none");

  const auto count = [&](const char* key, std::int64_t min, std::int64_t& value) {
    value = object.integer(key, min, kMany, value);
  };
  const auto number = [&](const char* key, double min, double max, double& value) {
    value = object.number(key, min, max, value);
  };
  const auto flag = [&](const char* key, bool& value) { value = object.boolean(key, value); };
  count("frames", 0, config.frames);
  count("crop", 0, config.crop);
  count("steps", 1, config.steps);
  count("batch", 1, config.batch);
  count("accumulate", 1, config.accumulate);
  config.seed = static_cast<std::uint64_t>(object.integer("seed", 0, kMany, 0));
  number("learning_rate", 0, 10, config.learning_rate);
  count("warmup_steps", 0, config.warmup_steps);
  flag("cosine_decay", config.cosine_decay);
  number("beta1", 0, 0.99999, config.beta1);
  number("beta2", 0, 0.99999, config.beta2);
  number("weight_decay", 0, 10, config.weight_decay);
  number("clip_norm", 0, 1e9, config.clip_norm);
  number("ema_decay", 0, 1, config.ema_decay);
  flag("temporal_only", config.temporal_only);
  flag("gradient_checkpointing", config.gradient_checkpointing);
  flag("float16", config.float16);
  flag("bfloat16", config.bfloat16);
  config.noise = noise_of(object, "noise", config.noise);
  config.augmentation = noise_of(object, "augmentation", config.augmentation);
  count("augmentation_draws", 0, config.augmentation_draws);
  number("dropout", 0, 0.33, config.dropout);
  number("kl_weight", 0, 1e9, config.kl_weight);
  number("gradient_weight", 0, 1e9, config.gradient_weight);
  number("block_weight", 0, 1e9, config.block_weight);
  config.rank = object.integer("rank", 1, 4096, config.rank);
  flag("any_motion_bucket", config.any_motion_bucket);
  count("log_every", 1, config.log_every);
  count("checkpoint_every", 1, config.checkpoint_every);
  if (object.has("samples")) config.samples = object.strings("samples", 0, 100);
  refuse_idle_keys(object, config);
  return config;
}

nlohmann::ordered_json to_json(const TrainConfig& config) {
  std::vector<std::string> data;
  for (const auto& folder : config.data) data.push_back(folder.string());
  return {{"stage", to_string(config.stage)},
          {"model", config.model_name.empty() ? config.model.string() : config.model_name},
          {"output", config.output.string()},
          {"data", data},
          {"motions", config.motions},
          {"frames", config.frames},
          {"crop", config.crop},
          {"steps", config.steps},
          {"batch", config.batch},
          {"accumulate", config.accumulate},
          {"seed", config.seed},
          {"learning_rate", config.learning_rate},
          {"warmup_steps", config.warmup_steps},
          {"cosine_decay", config.cosine_decay},
          {"beta1", config.beta1},
          {"beta2", config.beta2},
          {"weight_decay", config.weight_decay},
          {"clip_norm", config.clip_norm},
          {"ema_decay", config.ema_decay},
          {"temporal_only", config.temporal_only},
          {"gradient_checkpointing", config.gradient_checkpointing},
          {"float16", config.float16},
          {"bfloat16", config.bfloat16},
          {"noise", to_json(config.noise)},
          {"augmentation", to_json(config.augmentation)},
          {"augmentation_draws", config.augmentation_draws},
          {"dropout", config.dropout},
          {"kl_weight", config.kl_weight},
          {"gradient_weight", config.gradient_weight},
          {"block_weight", config.block_weight},
          {"rank", config.rank},
          {"any_motion_bucket", config.any_motion_bucket},
          {"log_every", config.log_every},
          {"checkpoint_every", config.checkpoint_every},
          {"samples", config.samples}};
}

}  // namespace svd::training
