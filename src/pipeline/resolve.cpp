#include "pipeline/resolve.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <random>

#include "pipeline/cuda_module.h"
#include "pipeline/device.h"
#include "pipeline/profile.h"
#include "pipeline/threads.h"
#include "svd/error.h"
#include "weights/safetensors.h"

namespace svd::pipeline {
namespace {

constexpr int kLongestShortClip = 14;  // frames of "svd"; longer models follow "svd-xt"
constexpr double kLeastDeviation = 0.5, kMostDeviation = 2;  // of noise, 1 but for chance
constexpr double kSlowestFps = 3, kFastestFps = 30;          // the range that conditions the model

// Values that Stability's sampling configurations give the two released models.
struct ReleasedValues {
  int steps;
  double min_guidance;
  double max_guidance;
};
ReleasedValues released_values(const ModelDefaults& model) {
  return model.frames <= kLongestShortClip ? ReleasedValues{25, 1.0, 2.5}
                                           : ReleasedValues{30, 1.5, 3.0};
}

void resolve_sampling(const RequestOptions& options, const ModelDefaults& model, Request& request) {
  const ProfileValues& profile = profile_values(request.profile);
  const ReleasedValues released = released_values(model);
  const int model_steps = model.steps > 0 ? model.steps : released.steps;
  const double model_min = model.min_guidance >= 0 ? model.min_guidance : released.min_guidance;
  const double model_max = model.max_guidance >= 0 ? model.max_guidance : released.max_guidance;

  request.frames = options.frames.value_or(model.frames);
  request.steps = options.steps.value_or(profile.steps.value_or(model_steps));
  request.min_guidance = options.min_guidance.value_or(profile.min_guidance.value_or(model_min));
  request.max_guidance = options.max_guidance.value_or(profile.max_guidance.value_or(model_max));
  request.decode_chunk = std::min(
      options.decode_chunk.value_or(profile.decode_chunk.value_or(request.frames)), request.frames);
}

void resolve_size(const RequestOptions& options, const ModelConfig& model, int source_width,
                  int source_height, Request& request) {
  request.width = model.defaults.width;
  request.height = model.defaults.height;
  if ((source_height > source_width) != (request.height > request.width))
    std::swap(request.width, request.height);
  request.width = options.width.value_or(request.width);
  request.height = options.height.value_or(request.height);
  const int multiple = model.size_multiple();
  if (request.width % multiple != 0 || request.height % multiple != 0)
    throw Error(ErrorKind::usage,
                fmt::format("--size {}x{} does not fit this model: both sides must be multiples "
                            "of {}",
                            request.width, request.height, multiple));
}

void warn_about_untrained_values(const Request& request, const ModelConfig& model,
                                 std::vector<std::string>& warnings) {
  const auto [narrow, wide] = std::minmax(request.width, request.height);
  const auto [trained_narrow, trained_wide] =
      std::minmax(model.defaults.width, model.defaults.height);
  if (narrow != trained_narrow || wide != trained_wide)
    warnings.push_back(
        fmt::format("size {}x{}: the model was trained on {}x{}; expect less quality",
                    request.width, request.height, model.defaults.width, model.defaults.height));
  if (request.frames != model.defaults.frames)
    warnings.push_back(fmt::format("{} frames: the model was trained on {}", request.frames,
                                   model.defaults.frames));
  if (request.motion_bucket_id > 255)
    warnings.push_back(fmt::format("motion bucket {}: the model was trained on values up to 255",
                                   request.motion_bucket_id));
}

// A wrong file of noise is a wrong option, not a wrong model.
std::shared_ptr<weights::SafetensorsFile> open_init_latents(const std::string& path) {
  try {
    return weights::SafetensorsFile::open(path);
  } catch (const Error& error) {
    throw Error(ErrorKind::usage, fmt::format("--init-latents {}", error.what()), error.hint());
  }
}

std::uint64_t random_seed() { return std::random_device{}(); }

}  // namespace

Request resolve_request(const RequestOptions& options, const ModelConfig& model, int source_width,
                        int source_height, std::vector<std::string>& warnings) {
  validate(options);
  Request request;
  request.profile = options.profile.value_or(Profile::reference);
  resolve_sampling(options, model.defaults, request);
  resolve_size(options, model, source_width, source_height, request);

  request.fps = options.fps.value_or(7);
  if (!options.condition_fps && (request.fps < kSlowestFps || request.fps > kFastestFps))
    warnings.push_back(
        fmt::format("{} fps: the model knows {} to {} fps and is conditioned on the nearest; the "
                    "video plays at {}",
                    request.fps, kSlowestFps, kFastestFps, request.fps));
  // Both publications count one less than the playback rate.
  request.condition_fps =
      options.condition_fps.value_or(std::clamp(request.fps, kSlowestFps, kFastestFps) - 1);
  request.motion_bucket_id = options.motion_bucket_id.value_or(model.defaults.motion_bucket_id);
  request.noise_aug_strength = options.noise_aug_strength.value_or(0.02);
  request.fit = options.fit.value_or(Fit::crop);
  request.seed = options.seed ? *options.seed : random_seed();
  request.memory_bytes = options.memory_bytes;
  request.save_latents = options.save_latents;
  request.init_latents = options.init_latents;
  warn_about_untrained_values(request, model, warnings);
  if (request.init_latents) read_init_latents(*request.init_latents, request, model);

  std::string why_no_gpu;
  const c10::Device device = select_device(options.device.value_or("auto"), &why_no_gpu);
  const bool card_is_there = !why_no_gpu.empty() && query_driver().problem.empty();
  if (card_is_there) warnings.push_back("running on the CPU: " + why_no_gpu);
  request.device = device.str();
  request.dtype = resolve_dtype(options.dtype.value_or(Dtype::automatic), device);
  const Dtype vae_dtype = options.vae_dtype.value_or(Dtype::automatic);
  request.vae_dtype = vae_dtype == Dtype::automatic ? Dtype::float32 : vae_dtype;
  request.threads = options.threads ? *options.threads : default_threads();
  return request;
}

at::Tensor read_init_latents(const std::string& path, const Request& request,
                             const ModelConfig& model) {
  const auto file = open_init_latents(path);
  const weights::TensorInfo* info = file->find("latents");
  const int factor = model.vae.factor();
  const std::vector<std::int64_t> shape = {request.frames, model.vae.latent_channels,
                                           request.height / factor, request.width / factor};
  if (info == nullptr)
    throw Error(ErrorKind::usage, fmt::format("--init-latents {}: no tensor 'latents'", path));
  if (info->shape != shape)
    throw Error(ErrorKind::usage,
                fmt::format("--init-latents {}: 'latents' has shape [{}], this request needs [{}]",
                            path, fmt::join(info->shape, ", "), fmt::join(shape, ", ")));
  at::Tensor latents = file->tensor(*info).to(at::kFloat).unsqueeze(0);
  if (!latents.isfinite().all().item<bool>())
    throw Error(ErrorKind::usage,
                fmt::format("--init-latents {}: 'latents' holds values that are no numbers", path));
  const double deviation = latents.std(/*unbiased=*/false).item<double>();
  if (deviation < kLeastDeviation || deviation > kMostDeviation)
    throw Error(
        ErrorKind::usage,
        fmt::format("--init-latents {}: 'latents' has a standard deviation of {:.3g}; noise "
                    "of unit variance is expected",
                    path, deviation),
        "noise is scaled to the first step's level here, not in the file");
  return latents;
}

}  // namespace svd::pipeline
