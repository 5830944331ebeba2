#include "pipeline/run.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include "networks/clip/clip_vision_model.h"
#include "pipeline/decode.h"
#include "pipeline/device.h"
#include "pipeline/step_graph.h"
#include "sampling/schedule.h"
#include "svd/error.h"

namespace svd::pipeline {
namespace {

using Clip = networks::ClipVisionModelWithProjection;
using UNet = networks::UNetSpatioTemporalConditionModel;
using weights::Part;

// A broken number would end as a black frame.
void require_finite(const Tensor& tensor, const char* what) {
  if (tensor.isfinite().all().item<bool>()) return;
  throw Error(ErrorKind::internal, fmt::format("{} holds values that are no numbers", what),
              "the number format may be too small for this model: try --dtype float32");
}

}  // namespace

Run::Run(const weights::Checkpoint& checkpoint, Result& result, Kept& kept, bool remember,
         Observer& observer, std::stop_token stop)
    : checkpoint_(checkpoint),
      config_(checkpoint.config()),
      result_(result),
      request_(result.request),
      plan_(result.memory),
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
  result_.stages.push_back({name, seconds});
  observer_.on_stage_end(name, seconds);
}

Tensor Run::remembered(Memo& memo, const NetworkKey& key, const Tensor& input,
                       const std::function<Tensor()>& compute) {
  if (memo.is_of(key, input)) return memo.output;
  memo = {};
  const Tensor output = compute();
  if (remember_) memo = {key, input, output};
  return output;
}

Conditioning Run::condition(const InputImages& images, const Tensor& augmentation) {
  Conditioning conditioning;
  conditioning.added_time_ids =
      at::tensor({request_.condition_fps, request_.motion_bucket_id, request_.noise_aug_strength},
                 at::kDouble)
          .to(at::kFloat)
          .unsqueeze(0);
  const Image& seen = profile_.clip_reads_region ? images.region : images.fitted;
  const NetworkKey key = network_key(request_, request_.dtype);
  std::unique_ptr<LoadedNetwork<Clip>> clip;
  const auto load = [&] {
    clip = std::make_unique<LoadedNetwork<Clip>>(
        key, std::make_unique<Clip>(config_.clip), source(Part::image_encoder, key),
        NetworkWeights::kStreamAll, between_, NetworkWeights::Form::published);
    clip->weights.load();
  };
  const auto embed = [&](const Tensor& pixels) {
    if (!clip) load();
    const Tensor input = pixels.to(device_, key.dtype);
    return clip->network->forward(input, clip->weights.for_forward()).unsqueeze(1).to(at::kFloat);
  };
  stage(Stage::load_conditioning, 0, [&] {
    if (!kept_.embedding.input.defined()) load();  // else it may not be needed
  });
  stage(Stage::condition, 0, [&] {
    const Tensor pixels = clip_pixels(seen, config_.clip);
    conditioning.image_embeds =
        remembered(kept_.embedding, key, pixels, [&] { return embed(pixels); });
    require_finite(conditioning.image_embeds, "the image embedding");
    clip.reset();
    conditioning.image_latents = encode(images.fitted, augmentation);
    require_finite(conditioning.image_latents, "the encoded image");
  });
  empty_cache(device_);
  return conditioning;
}

// What the encoder reads is compared, noise and all: without noise the seed does not matter.
Tensor Run::encode(const Image& image, const Tensor& augmentation) {
  const NetworkKey key = vae_key(request_, request_.vae_dtype);
  const Tensor noised = to_pixels(image) + request_.noise_aug_strength * augmentation;
  return remembered(kept_.image_latents, key, noised, [&] {
    networks::AutoencoderEncoder vae(config_.vae);
    NetworkWeights weights(vae, source(Part::vae, key), NetworkWeights::kStreamAll, between_,
                           NetworkWeights::Form::published);
    weights.load();
    return vae.encode_mode(noised.to(device_, key.dtype), weights.for_forward()).to(at::kFloat);
  });
}

Tensor Run::sample(const Conditioning& conditioning, const Tensor& noise) {
  const NetworkKey key = network_key(request_, request_.dtype);
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
    unet->weights.load();
  });

  Tensor latents;
  stage(Stage::sample, request_.steps, [&] {
    GuidedStep guided = guided_step(*unet->network, context, conditioning.image_latents, options,
                                    unet->weights.for_forward());
    if (device_.is_cuda() && !plan_.stream_unet)
      guided = replayed(guided, cuda_recording(device_), [this] { empty_cache(device_); });
    const sampling::Denoiser denoiser = as_denoiser(guided, options);
    const Tensor start = noise.to(device_) * sampling::initial_scale(options.sigmas.front());
    const auto on_step = [&](int step, const Tensor&, const Tensor&) {
      observer_.on_progress(Stage::sample, step, request_.steps);
    };
    latents = sampling::sample_euler(denoiser, start, options.sigmas, on_step, stop_);
    throw_if_stopped();
    require_finite(latents, "the sampled clip");
  });
  if (plan_.keep_networks) kept_.unet = std::move(unet);
  unet.reset();
  empty_cache(device_);
  return latents[0].cpu();  // [F, 4, h, w]
}

void Run::decode(const Tensor& latents, FrameSink& sink) {
  const NetworkKey key = vae_key(request_, request_.vae_dtype);
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
                              .dtype = key.dtype,
                              .device = device_};
  stage(Stage::decode, request_.frames, [&] {
    const auto on_frame = [&](int done) {
      throw_if_stopped();
      result_.frames_written = done;
      observer_.on_progress(Stage::decode, done, request_.frames);
    };
    decode_to_sink(*decoder->network, latents, options, sink, on_frame,
                   decoder->weights.for_forward());
    throw_if_stopped();
    sink.finish();
  });
  if (plan_.keep_networks) kept_.decoder = std::move(decoder);
}

}  // namespace svd::pipeline
