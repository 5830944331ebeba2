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
      vae_encoder_activations(config.vae, shape.height, shape.width, vae_dtype);
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

StageMemory sampling(const Needs& needs, const SamplingWay& way) {
  const WeightBytes& unet = needs.unet;
  const std::int64_t activations = needs.unet_activations[way.sequential ? 1 : 0];
  // A streamed unit is loaded beside the tensors that wait for it.
  if (way.streamed) return {Stage::sample, streamed(unet), activations + unet.loading};
  return {Stage::sample, unet.all, std::max(activations, unet.loading)};
}

struct DecodingWay {
  nn::PartLimits parts;
  bool streamed;
};

StageMemory decoding(const Needs& needs, const Request& request, const ModelConfig& config,
                     const DecodingWay& way) {
  LatentShape shape = latent_shape(request, config);
  shape.frames = std::min<std::int64_t>(request.decode_chunk, request.frames);
  const std::int64_t activations = vae_decoder_activations(
      config.vae, shape, scalar_type(request.vae_dtype), c10::Device(request.device), way.parts);
  // Of this chunk, and of the one that is encoded meanwhile.
  const std::int64_t levels = 2 * shape.frames * request.height * request.width * std::int64_t{3};
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

/// The fastest plan. A stage that fits in no way has its smallest.
MemoryPlan closest_plan(const Request& request, const ModelConfig& config,
                        const MemoryLimits& limits) {
  const Needs needs = needs_of(request, config);
  const std::int64_t process = limits.process_bytes + encoder_bytes(request);
  const std::int64_t room = limits.limit_bytes - process;
  std::vector<SamplingWay> ways = {{false, false}, {true, false}};
  if (needs.guided) ways = {{false, false}, {false, true}, {true, false}, {true, true}};
  const auto sample_need = [&](const SamplingWay& way) { return sampling(needs, way); };
  const SamplingWay sample = first_that_fits(ways, room, sample_need);
  const auto decode_need = [&](const DecodingWay& way) {
    return decoding(needs, request, config, way);
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
  const std::int64_t left = plan.limit_bytes - plan.peak_bytes();
  plan.cache_bytes = c10::Device(request.device).is_cpu()
                         ? std::clamp<std::int64_t>(left, 0, kMostCached)
                         : kMostCached;  // of host memory, which is not what is planned
  return plan;
}

std::string amount(std::int64_t bytes) {
  constexpr double kMebi = 1 << 20, kGibi = 1 << 30;
  const double count = static_cast<double>(bytes);
  return count < 10 * kGibi ? fmt::format("{:.0f} MiB", std::ceil(count / kMebi))
                            : fmt::format("{:.1f} GiB", count / kGibi);
}

/// One way to need less.
struct Change {
  std::string option;
  Request request;
};

using Fits = std::function<bool(const Request&)>;

/// The largest picture of about the same shape that fits.
std::optional<Change> with_smaller_picture(const Change& change, int multiple, const Fits& fits) {
  const Request& whole = change.request;
  const bool is_wide = whole.width >= whole.height;
  const int longer = is_wide ? whole.width : whole.height;
  const int shorter = is_wide ? whole.height : whole.width;
  Request smaller = whole;
  for (int side = longer - multiple; side >= multiple; side -= multiple) {
    const double exact = static_cast<double>(shorter) * side / longer / multiple;
    const int other = std::max(1, static_cast<int>(std::lround(exact))) * multiple;
    smaller.width = is_wide ? side : other;
    smaller.height = is_wide ? other : side;
    if (fits(smaller))
      return Change{change.option + fmt::format("--size {}x{}", smaller.width, smaller.height),
                    smaller};
  }
  return std::nullopt;
}

/// The longest clip that fits, if it is no less than half as long.
std::optional<Change> with_fewer_frames(const Request& request, const Fits& fits) {
  Change change{"", request};
  for (int frames = request.frames - 1; frames >= std::max(1, request.frames / 2); --frames) {
    change.request.frames = frames;
    change.request.decode_chunk = std::min(request.decode_chunk, frames);
    if (!fits(change.request)) continue;
    change.option = fmt::format("--frames {}", frames);
    return change;
  }
  return std::nullopt;
}

/// Options that are enough, each by itself, the gentlest first; where hardly any is, several
/// together.
std::vector<std::string> options_that_fit(const Request& request, int multiple, const Fits& fits) {
  std::vector<Change> single;
  const auto change = [&](Change& to, const std::string& option, auto member, auto value) {
    to.option += option + " ";
    to.request.*member = value;
  };
  Change all{"", request};
  const auto consider = [&](const std::string& option, auto member, auto value) {
    single.push_back({"", request});
    change(single.back(), option, member, value);
    change(all, option, member, value);
  };
  if (request.vae_dtype == Dtype::float32)
    consider("--vae-dtype bfloat16", &Request::vae_dtype, Dtype::bfloat16);
  if (request.dtype == Dtype::float32)
    consider("--dtype bfloat16", &Request::dtype, Dtype::bfloat16);
  int chunk = request.decode_chunk;
  Change with_chunk{"", request};
  while (chunk > 1 && !fits(with_chunk.request))
    with_chunk.request.decode_chunk = chunk = chunk / 2;
  if (request.decode_chunk > 1)
    consider(fmt::format("--decode-chunk {}", chunk), &Request::decode_chunk, chunk);

  std::vector<std::string> options;
  const auto keep = [&](const Change& candidate) {
    if (fits(candidate.request))
      options.push_back(candidate.option.substr(0, candidate.option.find_last_not_of(' ') + 1));
  };
  for (const Change& candidate : single) keep(candidate);
  if (options.empty()) keep(all);
  if (const auto fewer = with_fewer_frames(request, fits)) keep(*fewer);
  const auto smaller = with_smaller_picture({"", request}, multiple, fits);
  if (smaller) keep(*smaller);
  if (options.size() <= 1 && !all.option.empty()) {
    const auto pixels = [](const Request& r) { return std::int64_t{r.width} * r.height; };
    const auto larger = with_smaller_picture(all, multiple, fits);
    if (larger && (!smaller || pixels(larger->request) > pixels(smaller->request))) keep(*larger);
  }
  return options;
}

[[noreturn]] void refuse(const Request& request, const ModelConfig& config,
                         const MemoryLimits& limits, const MemoryPlan& least) {
  const auto fullest =
      std::max_element(least.stages.begin(), least.stages.end(),
                       [](const auto& a, const auto& b) { return a.bytes() < b.bytes(); });
  const bool on_gpu = !c10::Device(request.device).is_cpu();
  const bool own_limit = request.memory_bytes && limits.limit_bytes >= *request.memory_bytes;
  const std::string where = own_limit
                                ? fmt::format("--memory allows {}", amount(limits.limit_bytes))
                                : fmt::format("{} {} free", amount(limits.limit_bytes),
                                              on_gpu ? "of the GPU's memory is" : "of memory is");
  const Fits fits = [&](const Request& changed) {
    return closest_plan(changed, config, limits).peak_bytes() <= limits.limit_bytes;
  };
  const std::vector<std::string> options = options_that_fit(request, config.size_multiple(), fits);
  std::string hint = options.empty() ? std::string("no smaller setting of this clip fits either")
                                     : fmt::format("any of these fits, with other pixels: {}",
                                                   fmt::join(options, "; "));
  if (own_limit) {
    // The program's own size varies a little from run to run.
    constexpr std::int64_t kMargin = std::int64_t{16} << 20;
    hint +=
        fmt::format(". The clip as it is fits --memory {}M", (least.peak_bytes() + kMargin) >> 20);
  } else if (!on_gpu) {
    hint += ". --memory N plans with N instead of what is free";
  }
  throw Error(ErrorKind::device,
              fmt::format("not enough memory: {} needs {} at the least, {}",
                          fullest->stage == Stage::decode      ? "decoding"
                          : fullest->stage == Stage::condition ? "reading the picture"
                                                               : "sampling",
                          amount(least.peak_bytes()), where),
              hint);
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

MemoryLimits memory_limits(const Request& request) {
  const c10::Device device(request.device);
  if (device.is_cpu()) {
    const std::int64_t resident = resident_bytes();
    // Others may need some of what is free now.
    const std::int64_t available = resident + available_bytes() / 32 * 31;
    return {request.memory_bytes.value_or(available), resident + kLibraries};
  }
  // Workspaces of cuBLAS and cuDNN, and what the allocator's blocks lose.
  const std::int64_t free = free_device_bytes(device) / 16 * 15 - kDeviceLibraries;
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
