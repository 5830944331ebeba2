#include "pipeline/memory_plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "networks/clip/clip_vision_model.h"
#include "networks/unet/unet_spatio_temporal_condition.h"
#include "networks/vae/autoencoder.h"
#include "pipeline/cpu_memory.h"
#include "pipeline/device.h"
#include "pipeline/memory_model.h"
#include "pipeline/memory_refusal.h"
#include "pipeline/profile.h"
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
  if (plan.stream_unet) words.emplace_back("UNet streamed");
  if (plan.sequential_guidance) words.emplace_back("guidance sequential");
  if (plan.recompute_decoder) words.emplace_back("decoder computes twice");
  return fmt::format("{}", fmt::join(words, ", "));
}

namespace pipeline {
namespace {

/// Code and tables of libraries that are touched only when they are used, stacks of threads.
constexpr std::int64_t kLibraries = std::int64_t{136} << 20;
/// A part that holds everything.
constexpr std::int64_t kInOnePiece = std::int64_t{1} << 60;

/// Weights and fixed sizes of one request.
struct Needs {
  WeightBytes image_encoder, unet, vae_encoder, vae_decoder;
  std::int64_t image_encoder_activations, vae_encoder_activations;
  std::int64_t unet_activations[2];  ///< batched, sequential guidance
  bool guided;
};

LatentShape latent_shape(const Request& request, const ModelConfig& config) {
  const int factor = config.vae.factor();
  return {1, request.frames, request.height / factor, request.width / factor};
}

Needs needs_of(const Request& request, const ModelConfig& config) {
  const at::ScalarType dtype = scalar_type(request.dtype);
  const at::ScalarType vae_dtype = scalar_type(request.vae_dtype);
  const c10::Device device(request.device);
  LatentShape shape = latent_shape(request, config);

  networks::ClipVisionModelWithProjection clip(config.clip);
  networks::UNetSpatioTemporalConditionModel unet(config.unet, {});
  networks::AutoencoderEncoder encoder(config.vae);
  const std::unique_ptr<networks::VideoDecoder> decoder = networks::make_decoder(config.vae);

  Needs needs;
  needs.guided = is_guided(guidance_scales(request));
  needs.image_encoder = weight_bytes(clip, dtype);
  needs.unet = weight_bytes(unet, dtype);
  needs.vae_encoder = weight_bytes(encoder, vae_dtype);
  needs.vae_decoder = weight_bytes(*decoder, vae_dtype);
  needs.image_encoder_activations = image_encoder_activations(config.clip, dtype);
  needs.vae_encoder_activations =
      vae_encoder_activations(config.vae, shape.height, shape.width, vae_dtype, device);
  // Of one branch: the picture's share of the input, and what waits for the other branch.
  const std::int64_t input = std::int64_t{config.unet.block_out_channels.front()} * shape.height *
                             shape.width * static_cast<std::int64_t>(c10::elementSize(dtype));
  needs.unet_activations[1] =
      unet_activations(config.unet, shape, dtype, device) + (2 + shape.frames) * input;
  shape.clips = needs.guided ? 2 : 1;
  needs.unet_activations[0] =
      unet_activations(config.unet, shape, dtype, device) + shape.clips * input;
  return needs;
}

std::int64_t streamed(const WeightBytes& bytes) { return bytes.kept + bytes.largest_unit; }

StageMemory conditioning(const Needs& needs) {
  const StageMemory clip{Stage::condition, streamed(needs.image_encoder),
                         needs.image_encoder_activations + needs.image_encoder.loading};
  const StageMemory vae{Stage::condition, streamed(needs.vae_encoder),
                        needs.vae_encoder_activations + needs.vae_encoder.loading};
  return clip.bytes() > vae.bytes() ? clip : vae;
}

struct SamplingWay {
  bool streamed, sequential;
};

StageMemory sampling(const Needs& needs, const SamplingWay& way, bool is_cpu) {
  const WeightBytes& unet = needs.unet;
  const std::int64_t activations = needs.unet_activations[way.sequential ? 1 : 0];
  // A unit is loaded beside the tensors that wait for it: a streamed one always, a kept one on the
  // CPU, when its turn first comes (NetworkWeights::load_first).
  const std::int64_t beside = activations + unet.loading;
  if (way.streamed) return {Stage::sample, streamed(unet), beside};
  return {Stage::sample, unet.all, is_cpu ? beside : std::max(activations, unet.loading)};
}

struct DecodingWay {
  nn::PartLimits parts;
  bool streamed;
};

StageMemory decoding(const Needs& needs, const Request& request, const ModelConfig& config,
                     const DecodingWay& way, int bit_depth) {
  LatentShape shape = latent_shape(request, config);
  shape.frames = std::min<std::int64_t>(request.decode_chunk, request.frames);
  const std::int64_t activations = vae_decoder_activations(
      config.vae, shape, scalar_type(request.vae_dtype), c10::Device(request.device), way.parts);
  // Of this chunk, and of the one that is encoded meanwhile.
  const std::int64_t levels =
      2 * shape.frames * request.height * request.width * std::int64_t{3} * (bit_depth > 8 ? 2 : 1);
  const WeightBytes& vae = needs.vae_decoder;
  if (way.streamed) return {Stage::decode, streamed(vae), activations + vae.loading + levels};
  return {Stage::decode, vae.all, std::max(activations, vae.loading) + levels};
}

/// The fastest first.
std::vector<DecodingWay> decoding_ways(const Request& request) {
  constexpr std::int64_t kMebi = 1 << 20;
  const bool once = request.decode_chunk >= request.frames;
  if (!c10::Device(request.device).is_cpu())
    return {{{.part_bytes = kInOnePiece}, once}, {{.part_bytes = 256 * kMebi}, true}};
  return {{{.part_bytes = 48 * kMebi}, once},
          {{.part_bytes = 48 * kMebi}, true},
          {{.part_bytes = 12 * kMebi}, true},
          {{.part_bytes = 3 * kMebi}, true},
          {{.part_bytes = 12 * kMebi, .recompute = true}, true},
          {{.part_bytes = 3 * kMebi, .recompute = true}, true}};
}

/// The first of `ways` that fits, else the one that needs least.
template <class Way, class Need>
Way first_that_fits(const std::vector<Way>& ways, std::int64_t room, const Need& need) {
  const auto found = std::find_if(ways.begin(), ways.end(),
                                  [&](const Way& way) { return need(way).bytes() <= room; });
  if (found != ways.end()) return *found;
  return *std::min_element(ways.begin(), ways.end(), [&](const Way& a, const Way& b) {
    return need(a).bytes() < need(b).bytes();
  });
}

constexpr std::int64_t kDeviceLibraries = std::int64_t{512} << 20;

/// Frames that a video encoder looks ahead, in host memory.
std::int64_t encoder_bytes(const Request& request) {
  constexpr std::int64_t kFrames = 60;
  if (!c10::Device(request.device).is_cpu()) return 0;
  return kFrames * request.width * request.height * std::int64_t{3} / 2;
}

void set_cache(MemoryPlan& plan, const Request& request) {
  const std::int64_t left = plan.limit_bytes - plan.peak_bytes();
  plan.cache_bytes = c10::Device(request.device).is_cpu()
                         ? std::clamp<std::int64_t>(left, 0, kMostCached)
                         : kMostCached;  // of host memory, which is not what is planned
}

/// Keeps the networks loaded if every stage of the plan fits beside them. `kept_bytes`: weights
/// that stay; `decode`: the stage with all of the decoder's.
void keep_if_there_is_room(MemoryPlan& plan, std::int64_t kept_bytes, const StageMemory& decode) {
  MemoryPlan keeping = plan;
  keeping.keep_networks = true;
  keeping.stream_decoder = false;
  for (StageMemory& stage : keeping.stages) {
    if (stage.stage == Stage::condition) stage.weight_bytes += kept_bytes;
    if (stage.stage == Stage::sample) stage.weight_bytes = kept_bytes;
    if (stage.stage == Stage::decode) stage = {decode.stage, kept_bytes, decode.activation_bytes};
  }
  if (keeping.peak_bytes() <= plan.limit_bytes) plan = keeping;
}

/// The fastest plan. A stage that fits in no way has its smallest. `only`: the one stage that
/// counts.
MemoryPlan closest_plan(const Request& request, const ModelConfig& config,
                        const MemoryLimits& limits, const PlanOptions& options,
                        std::optional<Stage> only = {}) {
  const Needs needs = needs_of(request, config);
  const std::int64_t process = limits.process_bytes + encoder_bytes(request);
  const std::int64_t room = limits.limit_bytes - process;
  std::vector<SamplingWay> ways = {{false, false}, {true, false}};
  if (needs.guided) ways = {{false, false}, {false, true}, {true, false}, {true, true}};
  const bool is_cpu = c10::Device(request.device).is_cpu();
  const auto sample_need = [&](const SamplingWay& way) { return sampling(needs, way, is_cpu); };
  const SamplingWay sample = first_that_fits(ways, room, sample_need);
  const auto decode_need = [&](const DecodingWay& way) {
    return decoding(needs, request, config, way, options.bit_depth);
  };
  const DecodingWay decode = first_that_fits(decoding_ways(request), room, decode_need);

  MemoryPlan plan;
  plan.limit_bytes = limits.limit_bytes;
  plan.process_bytes = process;
  plan.stages = {conditioning(needs), sample_need(sample), decode_need(decode)};
  plan.stream_unet = sample.streamed;
  if (sample.streamed) {
    // Reuse of freed memory is worth more than blocks that need not be loaded again.
    plan.unet_kept_bytes = std::max<std::int64_t>(0, room - plan.stages[1].bytes() - kMostCached);
    plan.stages[1].weight_bytes += plan.unet_kept_bytes;
  }
  plan.sequential_guidance = sample.sequential;
  plan.stream_decoder = decode.streamed;
  plan.decode_part_bytes = decode.parts.part_bytes == kInOnePiece ? 0 : decode.parts.part_bytes;
  plan.recompute_decoder = decode.parts.recompute;
  if (only) std::erase_if(plan.stages, [&](const StageMemory& s) { return s.stage != *only; });
  const bool samples = !only || *only == Stage::sample;
  if (options.keep_networks && !(samples && plan.stream_unet))
    keep_if_there_is_room(plan, (samples ? needs.unet.all : 0) + needs.vae_decoder.all,
                          decode_need({decode.parts, false}));
  set_cache(plan, request);
  return plan;
}

}  // namespace

nn::PartLimits part_limits(const MemoryPlan& plan) {
  return {.part_bytes = plan.decode_part_bytes > 0 ? plan.decode_part_bytes : kInOnePiece,
          .recompute = plan.recompute_decoder};
}

std::optional<nn::PartLimits> smaller_parts(const nn::PartLimits& limits) {
  constexpr std::int64_t kLeastPart = 1 << 20;
  nn::PartLimits smaller = limits;
  smaller.part_bytes = std::min(limits.part_bytes / 4, 4 * nn::PartLimits{}.part_bytes);
  if (smaller.part_bytes >= kLeastPart) return smaller;
  if (limits.recompute) return std::nullopt;
  smaller = limits;
  smaller.recompute = true;
  return smaller;
}

MemoryLimits memory_limits(const Request& request, std::int64_t loaded_bytes) {
  const c10::Device device(request.device);
  if (device.is_cpu()) {
    const std::int64_t resident = resident_bytes();
    // Others may need some of what is free now.
    const std::int64_t available = resident + available_bytes() / 32 * 31;
    // Weights that are views of the file need not be resident.
    const std::int64_t others = std::max<std::int64_t>(0, resident - loaded_bytes);
    return {request.memory_bytes.value_or(available), others + kLibraries};
  }
  // Workspaces of cuBLAS and cuDNN, and what the allocator's blocks lose.
  const std::int64_t free = (free_device_bytes(device) + loaded_bytes) / 16 * 15 - kDeviceLibraries;
  return {request.memory_bytes ? std::min(*request.memory_bytes, free) : free, 0};
}

MemoryPlan plan_memory(const Request& request, const ModelConfig& config,
                       const MemoryLimits& limits, const PlanOptions& options) {
  MemoryPlan plan = closest_plan(request, config, limits, options);
  if (plan.peak_bytes() <= limits.limit_bytes) return plan;
  const auto peak_of = [&](const Request& changed) {
    return closest_plan(changed, config, limits, options).peak_bytes();
  };
  refuse(request, std::lcm(kSizeMultiple, config.size_multiple()), plan, peak_of);
}

MemoryPlan plan_stage(const Request& request, const ModelConfig& config, const MemoryLimits& limits,
                      Stage stage, const PlanOptions& options) {
  MemoryPlan plan = closest_plan(request, config, limits, options, stage);
  if (plan.peak_bytes() > limits.limit_bytes)
    throw Error(ErrorKind::device, describe_shortage(request, plan));
  return plan;
}

}  // namespace pipeline
}  // namespace svd
