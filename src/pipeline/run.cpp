#include "pipeline/run.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <algorithm>

#include "networks/clip/clip_vision_model.h"
#include "nn/parts.h"
#include "pipeline/device.h"
#include "pipeline/step_graph.h"
#include "sampling/schedule.h"
#include "svd/error.h"

namespace svd::pipeline {
namespace {

using Clip = networks::ClipVisionModelWithProjection;
using UNet = networks::UNetSpatioTemporalConditionModel;
using weights::Part;

[[noreturn]] void fail(const char* what, Flaw flaw) {
  throw Error(ErrorKind::internal, fmt::format("{} {} in float32", what, flaw),
              "the model's weights may be damaged: svd-gen inspect shows what they are");
}

}  // namespace

Run::Run(const weights::Checkpoint& checkpoint, Result& result, const MemoryLimits& limits,
         Kept& kept, bool remember, Observer& observer, std::stop_token stop)
    : checkpoint_(checkpoint),
      config_(checkpoint.config()),
      result_(result),
      request_(result.request),
      plan_(result.memory),
      limits_(limits),
      kept_(kept),
      remember_(remember),
      profile_(profile_values(result.request.profile)),
      device_(result.request.device),
      observer_(observer),
      stop_(std::move(stop)),
      between_([this] { throw_if_stopped(); }) {}

void Run::throw_if_stopped() const {
  if (stop_.stop_requested()) throw Error(ErrorKind::interrupted, "interrupted");
}

void Run::stage(Stage name, int total, const std::function<void()>& body) {
  throw_if_stopped();
  const auto start = std::chrono::steady_clock::now();
  observer_.on_stage_begin(name, total);
  body();
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const auto known = std::find_if(result_.stages.begin(), result_.stages.end(),
                                  [&](const StageTime& time) { return time.stage == name; });
  if (known == result_.stages.end())
    result_.stages.push_back({name, seconds});
  else
    known->seconds += seconds;  // done once more
  observer_.on_stage_end(name, seconds);
}

Tensor Run::remembered(Memo& memo, const NetworkKey& key, const Tensor& input,
                       const std::function<Tensor()>& compute) {
  if (memo.is_of(key, input)) return memo.output;
  memo = {};
  const std::size_t retries = result_.retries.size();
  const Tensor output = compute();
  // A retry is to be made, and told, again.
  if (remember_ && result_.retries.size() == retries) memo = {key, input, output};
  return output;
}

Tensor Run::guarded(Stage stage, const char* what, Dtype Request::*format,
                    const std::function<Tensor(Dtype)>& compute) {
  Tensor values = compute(request_.*format);
  Flaw flaw = flaw_of(values);
  if (flaw == nullptr) return values;
  values.reset();
  begin_retry(stage, what, flaw, format);
  values = compute(Dtype::float32);
  flaw = flaw_of(values);
  if (flaw != nullptr) fail(what, flaw);
  return values;
}

void Run::begin_retry(Stage stage, const char* what, Flaw flaw, Dtype Request::*format,
                      int bit_depth) {
  throw_if_stopped();
  const Dtype from = request_.*format;
  if (from == Dtype::float32) fail(what, flaw);
  plan_.keep_networks = false;
  kept_.drop_networks();
  empty_cache(device_);
  Request wide = request_;
  wide.*format = Dtype::float32;
  MemoryPlan plan;
  try {
    plan = plan_stage(wide, config_, limits_, stage, {.bit_depth = bit_depth});
  } catch (const Error& error) {
    throw Error(ErrorKind::device,
                fmt::format("{} {} in {}, and to do it in float32 there is {}", what, flaw,
                            to_string(from), error.what()),
                "use a smaller --size or fewer --frames, or allow more --memory");
  }
  if (stage == Stage::sample) {
    plan_.stream_unet = plan.stream_unet;
    plan_.unet_kept_bytes = plan.unet_kept_bytes;
    plan_.sequential_guidance = plan.sequential_guidance;
  } else if (stage == Stage::decode) {
    plan_.stream_decoder = plan.stream_decoder;
    nn::part_limits() = part_limits(plan);
  }
  result_.retries.push_back({stage, from});
  observer_.on_retry(stage, from);
}

Conditioning Run::condition(const InputImages& images, const Tensor& augmentation) {
  Conditioning conditioning;
  conditioning.added_time_ids =
      at::tensor({request_.condition_fps, request_.motion_bucket_id, request_.noise_aug_strength},
                 at::kDouble)
          .to(at::kFloat)
          .unsqueeze(0);
  const Image& seen = profile_.clip_reads_region ? images.region : images.fitted;
  std::unique_ptr<LoadedNetwork<Clip>> clip;
  const auto load = [&](Dtype dtype) {
    const NetworkKey key = network_key(request_, dtype);
    clip = std::make_unique<LoadedNetwork<Clip>>(
        key, std::make_unique<Clip>(config_.clip), source(Part::image_encoder, key),
        NetworkWeights::kStreamAll, between_, NetworkWeights::Form::published);
    clip->weights.load();
  };
  const auto embed = [&](const Tensor& pixels, Dtype dtype) {
    if (!clip || clip->key.dtype != scalar_type(dtype)) load(dtype);
    const Tensor input = pixels.to(device_, clip->key.dtype);
    return clip->network->forward(input, clip->weights.for_forward()).unsqueeze(1).to(at::kFloat);
  };
  stage(Stage::load_conditioning, 0, [&] {
    if (!kept_.embedding.input.defined()) load(request_.dtype);  // else it may not be needed
  });
  stage(Stage::condition, 0, [&] {
    const Tensor pixels = clip_pixels(seen, config_.clip);
    const NetworkKey key = network_key(request_, request_.dtype);
    conditioning.image_embeds = remembered(kept_.embedding, key, pixels, [&] {
      return guarded(Stage::condition, "the image embedding", &Request::dtype,
                     [&](Dtype dtype) { return embed(pixels, dtype); });
    });
    clip.reset();
    conditioning.image_latents = encode(images.fitted, augmentation);
    if (observer_.wants_preview()) preview_.emplace(conditioning.image_latents, images.fitted);
  });
  empty_cache(device_);
  return conditioning;
}

// What the encoder reads is compared, noise and all: without noise the seed does not matter.
Tensor Run::encode(const Image& image, const Tensor& augmentation) {
  const Tensor noised = to_pixels(image) + request_.noise_aug_strength * augmentation;
  const auto encode_in = [&](Dtype dtype) {
    const NetworkKey key = vae_key(request_, dtype);
    networks::AutoencoderEncoder vae(config_.vae);
    NetworkWeights weights(vae, source(Part::vae, key), NetworkWeights::kStreamAll, between_,
                           NetworkWeights::Form::published);
    weights.load();
    return vae.encode_mode(noised.to(device_, key.dtype), weights.for_forward()).to(at::kFloat);
  };
  return remembered(kept_.image_latents, vae_key(request_, request_.vae_dtype), noised, [&] {
    return guarded(Stage::condition, "the encoded image", &Request::vae_dtype, encode_in);
  });
}

Tensor Run::sample(const Conditioning& conditioning, const Tensor& noise) {
  const auto compute = [&](Dtype dtype) { return sample_in(dtype, conditioning, noise); };
  return guarded(Stage::sample, "the sampled clip", &Request::dtype, compute)[0];  // [F, 4, h, w]
}

Tensor Run::sample_in(Dtype dtype, const Conditioning& conditioning, const Tensor& noise) {
  const NetworkKey key = network_key(request_, dtype);
  const SchedulerConfig& scheduler = config_.scheduler;
  const DenoiserOptions options{
      .sigmas = sampling::karras_sigmas(request_.steps, scheduler.sigma_min, scheduler.sigma_max,
                                        scheduler.rho),
      .guidance =
          sampling::linear_guidance(request_.min_guidance, request_.max_guidance, request_.frames),
      .sequential = plan_.sequential_guidance,
      .dtype = key.dtype,
      .device = device_};
  auto unet = std::move(kept_.unet);
  if (!unet)
    unet = std::make_unique<LoadedNetwork<UNet>>(
        key, std::make_unique<UNet>(config_.unet, key.eps), source(Part::unet, key),
        plan_.stream_unet ? plan_.unet_kept_bytes : NetworkWeights::kKeepAll, between_);
  unet->weights.set_between(between_);
  networks::ClipContext context;
  stage(Stage::load_unet, 0, [&] {
    context = prepare_clip(*unet->network, conditioning, options, unet->weights.for_prepare());
    // A GPU records its first step, which has to be the same work as the others.
    device_.is_cpu() ? unet->weights.load_first() : unet->weights.load();
  });

  Tensor latents;
  stage(Stage::sample, request_.steps, [&] {
    GuidedStep guided = guided_step(*unet->network, context, conditioning.image_latents, options,
                                    unet->weights.for_forward());
    if (device_.is_cuda() && !plan_.stream_unet)
      guided = replayed(guided, cuda_recording(device_), [this] { empty_cache(device_); });
    const sampling::Denoiser denoiser = as_denoiser(guided, options);
    const Tensor start = noise.to(device_) * sampling::initial_scale(options.sigmas.front());
    const auto on_step = [&](int step, const Tensor&, const Tensor& x0) {
      observer_.on_progress(Stage::sample, step, request_.steps);
      if (preview_)
        observer_.on_preview(step, preview_->frames(x0[0] / config_.vae.scaling_factor));
    };
    latents = sampling::sample_euler(denoiser, start, options.sigmas, on_step, stop_);
    throw_if_stopped();
  });
  if (plan_.keep_networks) kept_.unet = std::move(unet);
  unet.reset();
  empty_cache(device_);
  return latents.cpu();
}

void Run::decode(const Tensor& latents, FrameSink& sink, bool may_be_black) {
  constexpr const char* kWhat = "the decoded clip";
  Decoded decoded = decode_in(request_.vae_dtype, latents, sink, 0, may_be_black);
  if (decoded.flaw != nullptr) {
    begin_retry(Stage::decode, kWhat, decoded.flaw, &Request::vae_dtype, sink.bit_depth());
    decoded = decode_in(Dtype::float32, latents, sink, decoded.frames, may_be_black);
  }
  if (decoded.flaw != nullptr) fail(kWhat, decoded.flaw);
}

Decoded Run::decode_in(Dtype dtype, const Tensor& latents, FrameSink& sink, std::int64_t first,
                       bool may_be_black) {
  const NetworkKey key = vae_key(request_, dtype);
  auto decoder = std::move(kept_.decoder);
  if (!decoder)
    decoder = std::make_unique<LoadedNetwork<networks::VideoDecoder>>(
        key, networks::make_decoder(config_.vae), source(Part::vae, key),
        plan_.stream_decoder ? NetworkWeights::kStreamAll : NetworkWeights::kKeepAll, between_);
  decoder->weights.set_between(between_);
  stage(Stage::load_decoder, 0, [&] { decoder->weights.load(); });
  const DecodeOptions options{.scaling_factor = config_.vae.scaling_factor,
                              .chunk = request_.decode_chunk,
                              .round = profile_.round_frames,
                              .may_be_black = may_be_black,
                              .first = first,
                              .dtype = key.dtype,
                              .device = device_};
  Decoded decoded;
  stage(Stage::decode, request_.frames, [&] {
    const auto on_frame = [&](int done) {
      throw_if_stopped();
      result_.frames_written = done;
      observer_.on_progress(Stage::decode, done, request_.frames);
    };
    decoded = decode_to_sink(*decoder->network, latents, options, sink, on_frame,
                             decoder->weights.for_forward());
    throw_if_stopped();
    if (decoded.flaw == nullptr) sink.finish();
  });
  if (plan_.keep_networks) kept_.decoder = std::move(decoder);
  return decoded;
}

}  // namespace svd::pipeline
