#include "training/unet_objective.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "base/atomic_file.h"
#include "nn/autocast.h"
#include "nn/checkpoint.h"
#include "training/draw.h"
#include "training/model_folder.h"
#include "training/unet_start.h"
#include "training/weights_in.h"
#include "weights/config_reader.h"
#include "weights/lora.h"
#include "weights/safetensors.h"

namespace svd::training {
namespace {

const nn::BeforeUnit kNothing = [](const nn::Module&) {};
constexpr std::uint64_t kPictures = 0x7069637475726573U;  // other noises than those of steps
constexpr double kLowestFps = 3, kHighestFps = 30;

/// exp of normal numbers: [n], on the CPU.
at::Tensor log_normal(const NoiseLevels& levels, std::int64_t n, const at::Generator& generator) {
  return (normal({n}, generator, at::kCPU) * levels.p_std + levels.p_mean).exp();
}

at::Tensor over(const at::Tensor& vector, const at::Tensor& like) {  // [B] -> [B, 1, ...]
  std::vector<std::int64_t> shape(static_cast<std::size_t>(like.dim()), 1);
  shape.front() = vector.size(0);
  return vector.view(shape);
}

/// [F, ...] -> [1, ...], drawn.
at::Tensor one_of(const at::Tensor& frames, const at::Generator& generator) {
  const std::int64_t count = frames.size(0);
  return frames.narrow(0, at::randint(count, {1}, generator, at::kLong).item<std::int64_t>(), 1);
}

constexpr const char* kDown = ".lora.down.weight";
constexpr const char* kUp = ".lora.up.weight";

/// All of temporal attn1; of attn2 not to_q and to_k: with one token its softmax is 1.
bool is_adapted(const std::string& name) {
  if (name.find("temporal_transformer_blocks") == std::string::npos || !name.ends_with(".weight"))
    return false;
  for (const char* part : {".attn1.to_", ".attn2.to_v", ".attn2.to_out"})
    if (name.find(part) != std::string::npos) return true;
  return false;
}

std::string layer_of(const std::string& weight) {
  return weight.substr(0, weight.size() - std::string(".weight").size());
}

bool is_temporal(const std::string& name) {
  return name.find("temporal") != std::string::npos ||
         name.find("time_mixer") != std::string::npos ||
         name.find("time_pos_embed") != std::string::npos;
}

}  // namespace

UNetObjective::UNetObjective(const TrainConfig& config, const std::vector<ClipCache>& caches,
                             const c10::Device& device, const LatentCache::Progress& on_progress)
    : config_(config),
      device_(device),
      model_(weights::read_folder_config(config.model)),
      encoders_(config.model, device),
      latents_(caches, encoders_, on_progress),
      unet_(model_.unet, {}) {
  const auto [folder, stem] = place_of(weights::Part::unet);
  if (!read_weights(unet_.parameters(), config.model / folder, stem)) {
    initialise(unet_.parameters(), begins_at_zero_in_unet,
               at::detail::createCPUGenerator(config.seed));
    start_with_the_picture(unet_.parameters(), model_.unet, encoders_.scaling_factor());
  }
  std::vector<nn::Parameter> frozen = unet_.parameters();
  if (config.stage != Stage::lora)
    std::erase_if(frozen, [this](const nn::Parameter& each) { return is_trained(each.name); });
  base_id_ = fmt::format("{}-{}-{}-{}", fingerprint(frozen), encoders_.vae_id(),
                         encoders_.clip_id(), encoders_.scaling_factor());
  move_to(device_, unet_.parameters());
}

void UNetObjective::add_adapters() {
  const at::Generator generator = at::detail::createCPUGenerator(config_.seed);
  for (const nn::Parameter& parameter : unet_.parameters()) {
    if (!is_adapted(parameter.name)) continue;
    const std::int64_t out = parameter.shape[0], in = parameter.shape[1];
    const double bound = 1 / std::sqrt(double(in));
    Adapter adapter{parameter, *parameter.tensor,
                    at::empty({config_.rank, in}).uniform_(-bound, bound, generator).to(device_),
                    at::zeros({out, config_.rank}, device_)};
    adapter.down.set_requires_grad(true);
    adapter.up.set_requires_grad(true);
    adapters_.push_back(std::move(adapter));
  }
}

void UNetObjective::apply_adapters() const {
  for (const Adapter& adapter : adapters_)
    *adapter.parameter.tensor = adapter.base + at::matmul(adapter.up, adapter.down);
}

bool UNetObjective::is_trained(const std::string& name) const {
  if (config_.stage == Stage::image) return !is_temporal(name);
  return !config_.temporal_only || is_temporal(name);
}

std::vector<Trainable> UNetObjective::trainables() {
  if (config_.stage == Stage::lora) {
    std::vector<Trainable> out;
    add_adapters();
    for (const Adapter& adapter : adapters_) {
      const std::string layer = layer_of(adapter.parameter.name);
      out.push_back({layer + kDown, adapter.down});
      out.push_back({layer + kUp, adapter.up});
    }
    return out;
  }
  return trained_among(unet_.parameters(),
                       [this](const std::string& name) { return is_trained(name); });
}

UNetObjective::Picture UNetObjective::picture_of(const ClipRef& clip,
                                                 const at::Generator& generator) const {
  const at::Tensor first = frames_of({clip}, 1).flatten(0, 1);  // [1, H, W, 3]
  const double strength = log_normal(config_.augmentation, 1, generator).item<double>();
  at::Tensor pixels = to_pixels(first);
  pixels = pixels + strength * normal(pixels.sizes(), generator, at::kCPU);
  return {strength, encoders_.embed(first).squeeze(0), encoders_.encode(pixels).squeeze(0)};
}

UNetObjective::Picture UNetObjective::no_picture(const ClipRef& clip,
                                                 const at::Generator& generator) const {
  const double strength = log_normal(config_.augmentation, 1, generator).item<double>();
  const std::int64_t factor = model_.vae.factor();
  return {strength, at::zeros({1, model_.clip.projection_dim}),
          at::zeros({model_.vae.latent_channels, clip.info().height / factor,
                     clip.info().width / factor})};
}

const UNetObjective::Picture& UNetObjective::drawn_picture(const ClipRef& clip,
                                                           const at::Generator& generator) {
  const std::int64_t draw =
      at::randint(config_.augmentation_draws, {1}, generator, at::kLong).item<std::int64_t>();
  const std::string& dataset = clip.cache->id();
  const auto [place, is_new] = pictures_.try_emplace({dataset, clip.index, draw});
  if (is_new) {  // kept on the CPU: there may be many
    const std::uint64_t number =
        clip.index * std::uint64_t(config_.augmentation_draws) + static_cast<std::uint64_t>(draw);
    Draw seeds((config_.seed ^ kPictures ^ std::stoull(dataset.substr(0, 16), nullptr, 16)) +
               number * 0x9e3779b97f4a7c15U);
    const Picture picture = picture_of(clip, at::detail::createCPUGenerator(seeds.seed()));
    place->second = {picture.strength, picture.embed.cpu(), picture.latents.cpu()};
  }
  return place->second;
}

UNetObjective::Conditions UNetObjective::conditions_of(const std::vector<ClipRef>& clips,
                                                       const at::Generator& generator) {
  const auto batch = static_cast<std::int64_t>(clips.size());
  std::vector<at::Tensor> embeds, latents, ids;
  for (const ClipRef& clip : clips) {
    const Picture picture = config_.stage == Stage::image    ? no_picture(clip, generator)
                            : config_.augmentation_draws > 0 ? drawn_picture(clip, generator)
                                                             : picture_of(clip, generator);
    embeds.push_back(picture.embed.to(device_));
    latents.push_back(picture.latents.to(device_));
    const double bucket = config_.any_motion_bucket
                              ? at::randint(1, 256, {1}, generator, at::kLong).item<double>()
                              : clip.info().motion_bucket_id;
    ids.push_back(at::tensor(
        {std::clamp(clip.info().fps, kLowestFps, kHighestFps) - 1, bucket, picture.strength},
        at::kFloat));
  }
  // Left out: the embedding below p, both below 2p, the latents below 3p.
  const at::Tensor lot = at::rand({batch}, generator);
  const double p = config_.dropout;
  const at::Tensor keep_embed = lot.ge(2 * p).to(at::kFloat).to(device_);
  const at::Tensor keep_latents = lot.lt(p).logical_or(lot.ge(3 * p)).to(at::kFloat).to(device_);

  Conditions conditions{at::stack(embeds), at::stack(latents), at::stack(ids).to(device_)};
  conditions.embeds = conditions.embeds * over(keep_embed, conditions.embeds);
  conditions.latents = conditions.latents * over(keep_latents, conditions.latents);
  return conditions;
}

at::Tensor UNetObjective::loss(const std::vector<ClipRef>& clips, const at::Generator& generator) {
  apply_adapters();
  std::vector<at::Tensor> all;
  for (const ClipRef& clip : clips) {
    const at::Tensor whole = latents_.of(clip);
    const at::Tensor frames = config_.frames > 0 ? whole.narrow(0, 0, config_.frames) : whole;
    all.push_back(config_.stage == Stage::image ? one_of(frames, generator) : frames);
  }
  const at::Tensor clean =
      at::stack(all).to(device_).to(at::kFloat) * encoders_.scaling_factor();  // [B, F, c, h, w]
  const Conditions conditions = conditions_of(clips, generator);
  const at::Tensor sigma = log_normal(config_.noise, clean.size(0), generator).to(device_);  // [B]
  const at::Tensor noisy = clean + over(sigma, clean) * normal(clean.sizes(), generator, device_);

  // sampling::precondition, for a vector of noise levels.
  const at::Tensor variance = sigma.square() + 1;
  const at::Tensor c_skip = over(variance.reciprocal(), clean);
  const at::Tensor c_out = over(-sigma * variance.rsqrt(), clean);
  const at::Tensor c_in = over(variance.rsqrt(), clean);
  const at::Tensor c_noise = sigma.log() * 0.25;

  const std::int64_t frames = clean.size(1);
  const at::Tensor pictures = conditions.latents.unsqueeze(1).expand({-1, frames, -1, -1, -1});
  const nn::GradientCheckpointing checkpointing(config_.gradient_checkpointing);
  std::optional<nn::Autocast> autocast(std::in_place, nn::AutocastState{config_.bfloat16},
                                       device_.type());
  const networks::ClipContext context =
      unet_.prepare(conditions.embeds, conditions.ids, frames, c_noise.unsqueeze(0), kNothing);
  const at::Tensor step = at::zeros({1}, at::TensorOptions(device_).dtype(at::kLong));
  const at::Tensor output =
      unet_.forward(at::cat({noisy * c_in, pictures}, 2), context.at(step), kNothing);
  autocast.reset();
  const at::Tensor target = (clean - c_skip * noisy) / c_out;
  return (output.to(at::kFloat) - target).square().mean();
}

void UNetObjective::save(const std::filesystem::path& folder,
                         const std::vector<at::Tensor>& values) {
  const auto stored = [&](const at::Tensor& value) {
    return config_.float16 ? value.to(at::kHalf) : value;
  };
  if (config_.stage == Stage::lora) {
    NamedTensors tensors;
    const std::vector<const char*> endings = {kDown, kUp};
    for (std::size_t i = 0; i < values.size(); ++i)
      tensors.emplace_back("unet." + layer_of(adapters_[i / 2].parameter.name) + endings[i % 2],
                           stored(values[i]));
    AtomicPath made(folder, AtomicPath::Type::folder);
    weights::save_safetensors(made.temporary_path() / weights::kLoraFile, tensors);
    made.commit(true);
    return;
  }
  std::map<weights::Part, NamedTensors> weights = {
      {weights::Part::unet,
       with_values(
           unet_.parameters(), [this](const std::string& name) { return is_trained(name); }, values,
           config_.float16)}};
  for (const auto& [name, value] : encoders_.clip_begun_here())
    weights[weights::Part::image_encoder].emplace_back(name, stored(value));
  write_model_folder(config_.model, folder, weights);
}

}  // namespace svd::training
