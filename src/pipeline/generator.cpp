#include "svd/generator.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>

#include "networks/clip/clip_vision_model.h"
#include "pipeline/background_sink.h"
#include "pipeline/conditioning.h"
#include "pipeline/cpu_memory.h"
#include "pipeline/decode.h"
#include "pipeline/denoiser.h"
#include "pipeline/device.h"
#include "pipeline/errors.h"
#include "pipeline/memory_plan.h"
#include "pipeline/networks.h"
#include "pipeline/profile.h"
#include "pipeline/resolve.h"
#include "pipeline/step_graph.h"
#include "pipeline/system_memory.h"
#include "sampling/schedule.h"
#include "svd/error.h"
#include "weights/checkpoint.h"
#include "weights/model_search.h"
#include "weights/safetensors.h"

namespace svd {
namespace {

using at::Tensor;
using pipeline::BackgroundSink;
using pipeline::Conditioning;
using pipeline::NetworkWeights;
using pipeline::WeightSource;
using weights::Checkpoint;
using weights::Part;

constexpr int kMostKeysShown = 20;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Checkpoint open_checked(const std::filesystem::path& path) {
  Checkpoint checkpoint = Checkpoint::open(path);
  std::vector<std::string> lines = pipeline::check_weights(checkpoint);
  if (lines.empty()) return checkpoint;
  const std::size_t count = lines.size();
  if (count > kMostKeysShown) {
    lines.resize(kMostKeysShown);
    lines.push_back(fmt::format("... and {} more", count - kMostKeysShown));
  }
  throw Error(ErrorKind::model,
              fmt::format("{}: {} weights do not match the model:\n  {}", path.string(), count,
                          fmt::join(lines, "\n  ")),
              fmt::format("svd-gen inspect {} lists them all", path.string()));
}

// A broken number would end as a black frame.
void require_finite(const Tensor& tensor, const char* what) {
  if (tensor.isfinite().all().item<bool>()) return;
  throw Error(ErrorKind::internal, fmt::format("{} holds values that are no numbers", what),
              "the number format may be too small for this model: try --dtype float32");
}

void check_images(const InputImages& images, const Request& request) {
  for (const Image* image : {&images.region, &images.fitted}) {
    if (image->width < 1 || image->height < 1 ||
        image->rgb.size() != std::size_t(image->width) * std::size_t(image->height) * 3)
      throw Error(ErrorKind::usage, "an input image does not hold height * width * 3 bytes");
  }
  if (images.fitted.width != request.width || images.fitted.height != request.height)
    throw Error(ErrorKind::usage, "the fitted image does not have the size of the request");
}

/// One render: what all its stages share.
class Run {
 public:
  Run(const Checkpoint& checkpoint, const Request& request, const MemoryPlan& plan,
      Observer& observer, Result& result, std::stop_token stop)
      : checkpoint_(checkpoint),
        config_(checkpoint.config()),
        request_(request),
        plan_(plan),
        profile_(pipeline::profile_values(request.profile)),
        device_(request.device),
        dtype_(pipeline::scalar_type(request.dtype)),
        vae_dtype_(pipeline::scalar_type(request.vae_dtype)),
        observer_(observer),
        result_(result),
        stop_(std::move(stop)),
        between_([this] { throw_if_stopped(); }) {}

  Conditioning condition(const InputImages& images, const Tensor& augmentation);
  Tensor sample(const Conditioning& conditioning, const Tensor& noise);
  void decode(const Tensor& latents, FrameSink& sink);

 private:
  Tensor encode(const Image& image, const Tensor& augmentation);

  WeightSource source(Part part, at::ScalarType dtype) const {
    return {checkpoint_, part, dtype, device_};
  }

  void throw_if_stopped() const {
    if (stop_.stop_requested()) throw Error(ErrorKind::interrupted, "interrupted");
  }

  template <class Body>
  void stage(Stage name, int total, const Body& body) {
    throw_if_stopped();
    const auto start = std::chrono::steady_clock::now();
    observer_.on_stage_begin(name, total);
    body();
    const double seconds = seconds_since(start);
    result_.stages.push_back({name, seconds});
    observer_.on_stage_end(name, seconds);
  }

  const Checkpoint& checkpoint_;
  const ModelConfig& config_;
  const Request& request_;
  const MemoryPlan& plan_;
  const pipeline::ProfileValues& profile_;
  c10::Device device_;
  at::ScalarType dtype_;
  at::ScalarType vae_dtype_;
  Observer& observer_;
  Result& result_;
  std::stop_token stop_;
  std::function<void()> between_;
};

Conditioning Run::condition(const InputImages& images, const Tensor& augmentation) {
  Conditioning conditioning;
  conditioning.added_time_ids =
      at::tensor({request_.condition_fps, request_.motion_bucket_id, request_.noise_aug_strength},
                 at::kDouble)
          .to(at::kFloat)
          .unsqueeze(0);
  networks::ClipVisionModelWithProjection clip(config_.clip);
  NetworkWeights weights(clip, source(Part::image_encoder, dtype_), NetworkWeights::kStreamAll,
                         between_, NetworkWeights::Form::published);
  stage(Stage::load_conditioning, 0, [&] { weights.load(); });
  stage(Stage::condition, 0, [&] {
    const Image& seen = profile_.clip_reads_region ? images.region : images.fitted;
    const Tensor pixels = pipeline::clip_pixels(seen, config_.clip).to(device_, dtype_);
    conditioning.image_embeds =
        clip.forward(pixels, weights.for_forward()).unsqueeze(1).to(at::kFloat);
    require_finite(conditioning.image_embeds, "the image embedding");
    weights.drop();
    conditioning.image_latents = encode(images.fitted, augmentation);
    require_finite(conditioning.image_latents, "the encoded image");
  });
  pipeline::empty_cache(device_);
  return conditioning;
}

Tensor Run::encode(const Image& image, const Tensor& augmentation) {
  networks::AutoencoderEncoder vae(config_.vae);
  NetworkWeights weights(vae, source(Part::vae, vae_dtype_), NetworkWeights::kStreamAll, between_,
                         NetworkWeights::Form::published);
  weights.load();
  const Tensor noised = pipeline::to_pixels(image) + request_.noise_aug_strength * augmentation;
  return vae.encode_mode(noised.to(device_, vae_dtype_), weights.for_forward()).to(at::kFloat);
}

Tensor Run::sample(const Conditioning& conditioning, const Tensor& noise) {
  const SchedulerConfig& scheduler = config_.scheduler;
  const pipeline::DenoiserOptions options{
      .sigmas = sampling::karras_sigmas(request_.steps, scheduler.sigma_min, scheduler.sigma_max,
                                        scheduler.rho),
      .guidance =
          sampling::linear_guidance(request_.min_guidance, request_.max_guidance, request_.frames),
      .sequential = plan_.sequential_guidance,
      .dtype = dtype_,
      .device = device_};
  networks::UNetSpatioTemporalConditionModel unet(config_.unet, profile_.unet_eps);
  NetworkWeights weights(unet, source(Part::unet, dtype_),
                         plan_.stream_unet ? plan_.unet_kept_bytes : NetworkWeights::kKeepAll,
                         between_);
  networks::ClipContext context;
  stage(Stage::load_unet, 0, [&] {
    context = pipeline::prepare_clip(unet, conditioning, options, weights.for_prepare());
    weights.load();
  });

  Tensor latents;
  stage(Stage::sample, request_.steps, [&] {
    pipeline::GuidedStep guided = pipeline::guided_step(unet, context, conditioning.image_latents,
                                                        options, weights.for_forward());
    if (device_.is_cuda() && !plan_.stream_unet)
      guided = pipeline::replayed(guided, pipeline::cuda_recording(device_),
                                  [this] { pipeline::empty_cache(device_); });
    const sampling::Denoiser denoiser = pipeline::as_denoiser(guided, options);
    const Tensor start = noise.to(device_) * sampling::initial_scale(options.sigmas.front());
    const auto on_step = [&](int step, const Tensor&, const Tensor&) {
      observer_.on_progress(Stage::sample, step, request_.steps);
    };
    latents = sampling::sample_euler(denoiser, start, options.sigmas, on_step, stop_);
    throw_if_stopped();
    require_finite(latents, "the sampled clip");
  });
  weights.drop();
  pipeline::empty_cache(device_);
  return latents[0].cpu();  // [F, 4, h, w]
}

void Run::decode(const Tensor& latents, FrameSink& sink) {
  const std::unique_ptr<networks::VideoDecoder> decoder = networks::make_decoder(config_.vae);
  NetworkWeights weights(
      *decoder, source(Part::vae, vae_dtype_),
      plan_.stream_decoder ? NetworkWeights::kStreamAll : NetworkWeights::kKeepAll, between_);
  stage(Stage::load_decoder, 0, [&] { weights.load(); });
  const pipeline::DecodeOptions options{.scaling_factor = config_.vae.scaling_factor,
                                        .chunk = request_.decode_chunk,
                                        .round = profile_.round_frames,
                                        .dtype = vae_dtype_,
                                        .device = device_};
  stage(Stage::decode, request_.frames, [&] {
    const auto on_frame = [&](int done) {
      throw_if_stopped();
      result_.frames_written = done;
      observer_.on_progress(Stage::decode, done, request_.frames);
    };
    pipeline::decode_to_sink(*decoder, latents, options, sink, on_frame, weights.for_forward());
    throw_if_stopped();
    sink.finish();
  });
}

}  // namespace

struct Generator::State {
  ModelSummary summary;
  Checkpoint checkpoint;
};

Generator::Generator(const ModelOptions& options) {
  pipeline::translate_torch_errors([&] {
    const bool short_clip = options.frames && *options.frames <= 14;
    const weights::FoundModel found = weights::find_model(
        options.model.value_or(short_clip ? "svd" : "svd-xt"), options.models_dir);
    Checkpoint checkpoint = open_checked(found.path);
    ModelSummary summary{found.name, found.path, found.notice};
    for (const std::string& notice : checkpoint.notices())
      summary.notice += (summary.notice.empty() ? "" : "\n") + notice;
    state_ = std::make_unique<State>(State{std::move(summary), std::move(checkpoint)});
  });
}

Generator::~Generator() = default;
Generator::Generator(Generator&&) noexcept = default;
Generator& Generator::operator=(Generator&&) noexcept = default;

const ModelSummary& Generator::model() const { return state_->summary; }

std::string Generator::model_id() const { return state_->checkpoint.id(); }

Request Generator::resolve(const RequestOptions& options, int source_width, int source_height,
                           std::vector<std::string>* warnings) const {
  std::vector<std::string> discarded;
  Request request;
  pipeline::translate_torch_errors([&] {
    request = pipeline::resolve_request(options, state_->checkpoint.config(), source_width,
                                        source_height, warnings ? *warnings : discarded);
  });
  return request;
}

MemoryPlan Generator::plan(const Request& request, int bit_depth) const {
  MemoryPlan plan;
  pipeline::translate_torch_errors([&] {
    plan = pipeline::plan_memory(request, state_->checkpoint.config(),
                                 pipeline::memory_limits(request), {.bit_depth = bit_depth});
  });
  return plan;
}

Result Generator::run(const Request& request, const InputImages& images, FrameSink& sink,
                      Observer& observer, std::stop_token stop) {
  Result result;
  result.request = request;
  result.memory = plan(request, sink.bit_depth());
  result.model = state_->summary.name;
  const auto start = std::chrono::steady_clock::now();
  pipeline::translate_torch_errors([&] {
    check_images(images, request);
    const c10::InferenceMode no_gradients;
    pipeline::install_cpu_cache(result.memory.cache_bytes);
    nn::part_limits() = pipeline::part_limits(result.memory);
    at::set_num_threads(request.threads);
    const ModelConfig& config = state_->checkpoint.config();
    pipeline::Noise noise =
        pipeline::draw_noise(request.seed, request.height, request.width, request.frames, config);
    if (request.init_latents)
      noise.latents = pipeline::read_init_latents(*request.init_latents, request, config);

    Run run(state_->checkpoint, request, result.memory, observer, result, stop);
    const Conditioning conditioning = run.condition(images, noise.augmentation);
    const Tensor latents = run.sample(conditioning, noise.latents);
    if (request.save_latents)
      weights::save_safetensors(*request.save_latents, {{"latents", latents}});
    // Room for a whole chunk: encoding it runs beside decoding the next.
    BackgroundSink background(sink, static_cast<std::size_t>(request.decode_chunk));
    run.decode(latents, background);
    pipeline::empty_cache(c10::Device(request.device));
  });
  result.seconds = seconds_since(start);
  result.peak_rss_bytes = pipeline::peak_resident_bytes();
  return result;
}

}  // namespace svd
