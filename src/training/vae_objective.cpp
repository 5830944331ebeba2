#include "training/vae_objective.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "nn/autocast.h"
#include "training/model_folder.h"
#include "training/vae_start.h"
#include "training/weights_in.h"
#include "weights/config_reader.h"

namespace svd::training {
namespace {

const nn::BeforeUnit kNothing = [](const nn::Module&) {};

std::int64_t drawn(std::int64_t count, const at::Generator& generator) {
  return at::randint(count, {1}, generator, at::kLong).item<std::int64_t>();
}

/// Without effect: temporal blocks add nothing, the last temporal convolution keeps its input.
void start_without_time(const std::vector<nn::Parameter>& parameters) {
  for (const nn::Parameter& parameter : parameters) {
    if (!parameter.name.ends_with("time_conv_out.weight")) continue;
    parameter.tensor->zero_();
    for (std::int64_t c = 0; c < parameter.shape[0]; ++c) (*parameter.tensor)[c][c][1].fill_(1);
  }
}

/// First frames of some batches of one shape.
at::Tensor pictures_of(Batches& batches) {
  constexpr std::int64_t kBatches = 16;
  std::vector<at::Tensor> pictures;
  for (std::int64_t i = 0; i < kBatches; ++i) {
    at::Tensor frames = frames_of(batches.at(i), 1).flatten(0, 1);
    if (i == 0 || frames.sizes() == pictures[0].sizes()) pictures.push_back(std::move(frames));
  }
  return to_pixels(at::cat(pictures));
}

/// L1 of what differs between neighbouring pixels: edges.
at::Tensor edge_error(const at::Tensor& error) {
  const std::int64_t h = error.size(2), w = error.size(3);
  return (error.narrow(2, 1, h - 1) - error.narrow(2, 0, h - 1)).abs().mean() +
         (error.narrow(3, 1, w - 1) - error.narrow(3, 0, w - 1)).abs().mean();
}

}  // namespace

VaeObjective::VaeObjective(const TrainConfig& config, Batches& batches, const c10::Device& device)
    : config_(config),
      device_(device),
      model_(weights::read_folder_config(config.model)),
      encoder_(model_.vae),
      decoder_(model_.vae),
      latent_moments_(at::zeros({2}, at::kDouble)) {
  const auto [folder, stem] = place_of(weights::Part::vae);
  if (!read_weights(parameters(), config.model / folder, stem)) {
    const auto begins_at_zero = [](const std::string& name) {  // residual branches
      return name.ends_with("conv2.weight") || name.ends_with("to_out.0.weight");
    };
    initialise(parameters(), begins_at_zero, at::detail::createCPUGenerator(config.seed));
    start_without_time(parameters());
    start_with_principal_components(parameters(), model_.vae, pictures_of(batches));
  }
  std::vector<nn::Parameter> frozen = parameters();
  std::erase_if(frozen, [this](const nn::Parameter& each) { return is_trained(each.name); });
  base_id_ = fingerprint(frozen);
  move_to(device_, parameters());
}

std::vector<nn::Parameter> VaeObjective::parameters() {
  std::vector<nn::Parameter> all = encoder_.parameters();
  for (nn::Parameter& parameter : decoder_.parameters()) all.push_back(std::move(parameter));
  return all;
}

bool VaeObjective::is_trained(const std::string& name) const {
  const bool is_temporal = name.find("temporal_res_block") != std::string::npos ||
                           name.find("time_mixer") != std::string::npos ||
                           name.find("time_conv_out") != std::string::npos;
  if (config_.stage == Stage::vae_image) return !is_temporal;
  return name.starts_with("decoder.") && (is_temporal || !config_.temporal_only);
}

std::vector<Trainable> VaeObjective::trainables() {
  return trained_among(parameters(), [this](const std::string& name) { return is_trained(name); });
}

at::Tensor VaeObjective::pixels_of(const std::vector<ClipRef>& clips,
                                   const at::Generator& generator) const {
  const bool is_image = config_.stage == Stage::vae_image;
  at::Tensor frames = frames_of(clips, config_.frames);
  if (is_image) {  // one frame of each
    std::vector<at::Tensor> chosen;
    for (std::int64_t i = 0; i < frames.size(0); ++i)
      chosen.push_back(frames[i].narrow(0, drawn(frames.size(1), generator), 1));
    frames = at::stack(chosen);
  }
  if (config_.crop > 0) {
    const std::int64_t height = std::min(config_.crop, frames.size(2));
    const std::int64_t width = std::min(config_.crop, frames.size(3));
    frames = frames.narrow(2, drawn(frames.size(2) - height + 1, generator), height)
                 .narrow(3, drawn(frames.size(3) - width + 1, generator), width);
  }
  return to_pixels(frames.flatten(0, 1).to(device_));
}

at::Tensor VaeObjective::loss(const std::vector<ClipRef>& clips, const at::Generator& generator) {
  const at::Tensor pixels = pixels_of(clips, generator);
  const bool is_image = config_.stage == Stage::vae_image;
  const std::int64_t frames = is_image ? 1 : pixels.size(0) / std::int64_t(clips.size());
  at::Tensor latents, divergence;
  const nn::AutocastState narrow{config_.bfloat16};
  std::optional<nn::Autocast> autocast;
  if (is_image) {
    autocast.emplace(narrow, device_.type());
    const std::vector<at::Tensor> moments =
        encoder_.encode(pixels, kNothing).to(at::kFloat).chunk(2, 1);
    const at::Tensor& mean = moments[0];
    const at::Tensor log_variance = moments[1].clamp(-30, 20);
    latents = mean + (log_variance * 0.5).exp() * normal(mean.sizes(), generator, device_);
    divergence = (mean.square() + log_variance.exp() - 1 - log_variance).mean() * 0.5;
    const at::Tensor values = mean.detach();
    const at::Tensor now = at::tensor(
        {values.mean().item<double>(), values.square().mean().item<double>()}, at::kDouble);
    const bool is_first = latent_moments_[1].item<double>() == 0;
    latent_moments_.lerp_(now, is_first ? 1 : 0.05);
  } else {
    const at::NoGradGuard no_gradients;
    latents = encoder_.encode_mode(pixels, kNothing);
  }
  if (!autocast) autocast.emplace(narrow, device_.type());
  const at::Tensor decoded = decoder_.decode(latents, frames, kNothing);
  autocast.reset();
  const at::Tensor error = decoded.to(at::kFloat) - pixels;
  const at::Tensor square = error.square().mean();
  at::Tensor loss = error.abs().mean() + square;
  if (config_.gradient_weight > 0) loss = loss + edge_error(error) * config_.gradient_weight;
  if (config_.block_weight > 0)
    loss = loss + at::avg_pool2d(error, model_.vae.factor()).abs().mean() * config_.block_weight;
  if (divergence.defined()) loss = loss + divergence * config_.kl_weight;
  square_ = square.detach();
  divergence_ = divergence.defined() ? divergence.detach() : at::Tensor();
  return loss;
}

std::map<std::string, double> VaeObjective::details() const {
  std::map<std::string, double> details = {{"psnr", -10 * std::log10(square_.item<double>() / 4)}};
  if (divergence_.defined()) details["kl"] = divergence_.item<double>();
  return details;
}

void VaeObjective::save(const std::filesystem::path& folder,
                        const std::vector<at::Tensor>& values) {
  NamedTensors tensors = with_values(
      parameters(), [this](const std::string& name) { return is_trained(name); }, values,
      config_.float16);
  const double mean = latent_moments_[0].item<double>();
  const double variance = latent_moments_[1].item<double>() - mean * mean;
  const bool rescales = config_.stage == Stage::vae_image && variance > 0;
  write_model_folder(config_.model, folder, {{weights::Part::vae, std::move(tensors)}},
                     rescales ? std::optional(1 / std::sqrt(variance)) : std::nullopt);
}

}  // namespace svd::training
