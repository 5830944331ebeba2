#include "pipeline/memory_plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "networks/clip/clip_vision_model.h"
#include "networks/unet/unet_spatio_temporal_condition.h"
#include "networks/vae/autoencoder.h"
#include "pipeline/cpu_memory.h"
#include "pipeline/device.h"
#include "pipeline/memory_model.h"
#include "pipeline/system_memory.h"
#include "svd/error.h"

namespace svd {

std::int64_t MemoryPlan::peak_bytes() const {
  std::int64_t most = 0;
  for (const StageMemory& stage : stages) most = std::max(most, stage.bytes());
  return process_bytes + most;
}

std::string describe_choices(const MemoryPlan& plan) {
  std::vector<std::string> words;
  if (plan.stream_image_encoder) words.emplace_back("image encoder streamed");
  if (plan.stream_unet) words.emplace_back("UNet streamed");
  if (plan.sequential_guidance) words.emplace_back("guidance sequential");
  return fmt::format("{}", fmt::join(words, ", "));
}

namespace pipeline {
namespace {

/// Code and tables of libraries that are touched only when they are used, stacks of threads.
constexpr std::int64_t kLibraries = std::int64_t{160} << 20;
/// Frames that a video encoder looks ahead.
constexpr std::int64_t kEncoderFrames = 60;

/// Weights and fixed sizes of one request.
struct Needs {
  WeightBytes image_encoder, unet, vae_encoder, vae_decoder;
  std::int64_t image_encoder_activations, vae_encoder_activations, decoder_activations;
  std::int64_t frames_bytes;  ///< of a decoded chunk, in levels
  std::int64_t unet_activations[2];  ///< batched, sequential guidance
  bool guided;
};

Needs needs_of(const Request& request, const ModelConfig& config, bool in_parts) {
  const at::ScalarType dtype = scalar_type(request.dtype);
  const at::ScalarType vae_dtype = scalar_type(request.vae_dtype);
  const c10::Device device(request.device);
  const int factor = config.vae.factor();
  LatentShape shape{2, request.frames, request.height / factor, request.width / factor};

  networks::ClipVisionModelWithProjection clip(config.clip);
  networks::UNetSpatioTemporalConditionModel unet(config.unet, {});
  networks::AutoencoderEncoder encoder(config.vae);
  const std::unique_ptr<networks::VideoDecoder> decoder = networks::make_decoder(config.vae);

  Needs needs;
  needs.guided = request.min_guidance != 1 || request.max_guidance != 1;
  needs.image_encoder = weight_bytes(clip, dtype);
  needs.unet = weight_bytes(unet, dtype);
  needs.vae_encoder = weight_bytes(encoder, vae_dtype);
  needs.vae_decoder = weight_bytes(*decoder, vae_dtype);
  needs.image_encoder_activations = image_encoder_activations(config.clip, dtype);
  needs.vae_encoder_activations =
      vae_encoder_activations(config.vae, shape.height, shape.width, vae_dtype);
  shape.clips = needs.guided ? 2 : 1;
  needs.unet_activations[0] = unet_activations(config.unet, shape, dtype, device);
  shape.clips = 1;
  needs.unet_activations[1] = unet_activations(config.unet, shape, dtype, device);
  shape.frames = std::min(request.decode_chunk, request.frames);
  needs.decoder_activations = vae_decoder_activations(config.vae, shape, vae_dtype, in_parts);
  needs.frames_bytes = shape.frames * request.height * request.width * std::int64_t{3};
  return needs;
}

StageMemory conditioning(const Needs& needs, bool streamed) {
  const WeightBytes& clip = needs.image_encoder;
  StageMemory of_clip{Stage::condition, streamed ? clip.kept + clip.largest_unit : clip.all,
                      needs.image_encoder_activations + clip.loading};
  const StageMemory of_vae{Stage::condition, needs.vae_encoder.all,
                           std::max(needs.vae_encoder_activations, needs.vae_encoder.loading)};
  if (!streamed)
    of_clip.activation_bytes = std::max(needs.image_encoder_activations, clip.loading);
  return of_clip.bytes() > of_vae.bytes() ? of_clip : of_vae;
}

StageMemory sampling(const Needs& needs, bool streamed, bool sequential) {
  const WeightBytes& unet = needs.unet;
  const std::int64_t activations = needs.unet_activations[sequential ? 1 : 0];
  // A streamed unit is loaded beside the tensors that wait for it.
  if (streamed)
    return {Stage::sample, unet.kept + unet.largest_unit, activations + unet.loading};
  return {Stage::sample, unet.all, std::max(activations, unet.loading)};
}

StageMemory decoding(const Needs& needs) {
  return {Stage::decode, needs.vae_decoder.all,
          std::max(needs.decoder_activations, needs.vae_decoder.loading) + needs.frames_bytes};
}

/// The fastest plan, whether or not every stage of it fits: a stage that cannot has its smallest.
MemoryPlan closest_plan(const Request& request, const ModelConfig& config,
                        const MemoryLimits& limits) {
  const std::int64_t room = limits.limit_bytes - limits.process_bytes;
  const auto fits = [room](const StageMemory& stage) { return stage.bytes() <= room; };
  MemoryPlan plan;
  plan.limit_bytes = limits.limit_bytes;
  plan.process_bytes = limits.process_bytes;
  // On the CPU parts are no slower.
  plan.decode_in_parts = c10::Device(request.device).is_cpu();
  Needs needs = needs_of(request, config, plan.decode_in_parts);
  if (!plan.decode_in_parts && !fits(decoding(needs))) {
    plan.decode_in_parts = true;
    needs = needs_of(request, config, true);
  }

  plan.stream_image_encoder = !fits(conditioning(needs, false));
  struct Sampling {
    bool streamed, sequential;
  };
  std::vector<Sampling> ways = {{false, false}, {true, false}};
  if (needs.guided) ways = {{false, false}, {false, true}, {true, false}, {true, true}};
  const auto way = std::find_if(ways.begin(), ways.end() - 1, [&](const Sampling& candidate) {
    return fits(sampling(needs, candidate.streamed, candidate.sequential));
  });
  plan.stream_unet = way->streamed;
  plan.sequential_guidance = way->sequential;
  plan.stages = {conditioning(needs, plan.stream_image_encoder),
                 sampling(needs, plan.stream_unet, plan.sequential_guidance), decoding(needs)};
  plan.cache_bytes = std::clamp<std::int64_t>(plan.limit_bytes - plan.peak_bytes(), 0, kMostCached);
  return plan;
}

std::string amount(std::int64_t bytes) {
  constexpr double kMebi = 1 << 20, kGibi = 1 << 30;
  const double count = static_cast<double>(bytes);
  return count < kGibi ? fmt::format("{:.0f} MiB", std::ceil(count / kMebi))
                       : fmt::format("{:.1f} GiB", std::ceil(10 * count / kGibi) / 10);
}

/// One way to need less.
struct Change {
  std::string option;
  bool changes_pixels;
  Request request;
};

std::optional<Change> smaller_picture(const Request& request, const ModelConfig& config,
                                      const std::function<bool(const Request&)>& fits) {
  const int multiple = config.size_multiple();
  Request smaller = request;
  for (int height = request.height - multiple; height >= multiple; height -= multiple) {
    smaller.height = height;
    const int width = static_cast<int>(std::int64_t{request.width} * height / request.height);
    smaller.width = std::max(multiple, width / multiple * multiple);
    if (fits(smaller))
      return Change{fmt::format("--size {}x{}", smaller.width, smaller.height), true, smaller};
  }
  return std::nullopt;
}

/// Changes of the request that are enough, each by itself; the gentlest first.
std::vector<Change> changes_that_fit(const Request& request, const ModelConfig& config,
                                     const std::function<bool(const Request&)>& fits) {
  std::vector<Change> changes;
  const auto consider = [&](std::string option, const Request& changed) {
    if (fits(changed)) changes.push_back({std::move(option), true, changed});
  };
  Request changed = request;
  if (request.vae_dtype == Dtype::float32) {
    changed.vae_dtype = Dtype::bfloat16;
    consider("--vae-dtype bfloat16", changed);
  }
  if (request.dtype == Dtype::float32) {
    changed = request;
    changed.dtype = Dtype::bfloat16;
    consider("--dtype bfloat16", changed);
    if (request.vae_dtype == Dtype::float32) {
      changed.vae_dtype = Dtype::bfloat16;
      if (changes.empty()) consider("--dtype bfloat16 --vae-dtype bfloat16", changed);
    }
  }
  changed = request;
  for (int chunk = request.decode_chunk / 2; chunk >= 1; chunk /= 2) {
    changed.decode_chunk = chunk;
    if (!fits(changed)) continue;
    consider(fmt::format("--decode-chunk {}", chunk), changed);
    break;
  }
  if (auto smaller = smaller_picture(request, config, fits)) changes.push_back(*smaller);
  return changes;
}

[[noreturn]] void refuse(const Request& request, const ModelConfig& config,
                         const MemoryLimits& limits, const MemoryPlan& least) {
  const auto fullest =
      std::max_element(least.stages.begin(), least.stages.end(),
                       [](const auto& a, const auto& b) { return a.bytes() < b.bytes(); });
  const bool on_gpu = !c10::Device(request.device).is_cpu();
  const std::string where = request.memory_bytes
                                ? fmt::format("--memory allows {}", amount(limits.limit_bytes))
                                : fmt::format("{} {} free", amount(limits.limit_bytes),
                                              on_gpu ? "of the GPU's memory is" : "of memory is");
  const std::function<bool(const Request&)> fits = [&](const Request& changed) {
    return closest_plan(changed, config, limits).peak_bytes() <= limits.limit_bytes;
  };
  std::vector<std::string> enough;
  for (const Change& change : changes_that_fit(request, config, fits))
    enough.push_back(change.option);
  std::string hint = enough.empty()
                         ? std::string("no smaller setting of this clip fits either")
                         : fmt::format("any of these fits (they change pixels): {}",
                                       fmt::join(enough, "; "));
  if (request.memory_bytes) {
    hint += fmt::format("; --memory {}M is the least for this clip",
                        (least.peak_bytes() + (1 << 20) - 1) >> 20);
  } else {
    hint += "; --memory N plans with N instead of what is free";
  }
  throw Error(ErrorKind::device,
              fmt::format("not enough memory: {} needs {} even with every exact saving, {}",
                          fullest->stage == Stage::decode      ? "decoding"
                          : fullest->stage == Stage::condition ? "reading the picture"
                                                               : "sampling",
                          amount(least.peak_bytes()), where),
              hint);
}

}  // namespace

MemoryLimits memory_limits(const Request& request) {
  const c10::Device device(request.device);
  if (device.is_cpu()) {
    const std::int64_t resident = resident_bytes();
    const std::int64_t encoder =
        kEncoderFrames * request.width * request.height * std::int64_t{3} / 2;
    return {request.memory_bytes ? *request.memory_bytes : available_bytes() + resident,
            resident + kLibraries + encoder};
  }
  const std::int64_t free = free_device_bytes(device);
  return {request.memory_bytes ? std::min(*request.memory_bytes, free) : free, 0};
}

MemoryPlan plan_memory(const Request& request, const ModelConfig& config,
                       const MemoryLimits& limits) {
  MemoryPlan plan = closest_plan(request, config, limits);
  if (plan.peak_bytes() > limits.limit_bytes) refuse(request, config, limits, plan);
  return plan;
}

}  // namespace pipeline
}  // namespace svd
