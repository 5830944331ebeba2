#include "svd/generator.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>

#include "networks/clip/clip_vision_model.h"
#include "pipeline/conditioning.h"
#include "pipeline/cpu_memory.h"
#include "pipeline/decode.h"
#include "pipeline/denoiser.h"
#include "pipeline/device.h"
#include "pipeline/errors.h"
#include "pipeline/networks.h"
#include "pipeline/profile.h"
#include "pipeline/resolve.h"
#include "sampling/schedule.h"
#include "svd/error.h"
#include "weights/checkpoint.h"
#include "weights/model_search.h"
#include "weights/safetensors.h"

namespace svd {
namespace {

using at::Tensor;
using weights::Checkpoint;
using weights::Part;

constexpr int kMostKeysShown = 20;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::int64_t peak_rss_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{usage.ru_maxrss} * 1024;
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
  Run(const Checkpoint& checkpoint, const Request& request, Observer& observer, Result& result,
      std::stop_token stop)
      : checkpoint_(checkpoint),
        config_(checkpoint.config()),
        request_(request),
        profile_(pipeline::profile_values(request.profile)),
        device_(request.device),
        dtype_(pipeline::scalar_type(request.dtype)),
        vae_dtype_(pipeline::scalar_type(request.vae_dtype)),
        observer_(observer),
        result_(result),
        stop_(std::move(stop)),
        between_([this] { throw_if_stopped(); }) {}

  pipeline::Conditioning condition(const InputImages& images, const Tensor& augmentation);
  Tensor sample(const pipeline::Conditioning& conditioning, const Tensor& noise);
  void decode(const Tensor& latents, FrameSink& sink);

 private:
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
  const pipeline::ProfileValues& profile_;
  c10::Device device_;
  at::ScalarType dtype_;
  at::ScalarType vae_dtype_;
  Observer& observer_;
  Result& result_;
  std::stop_token stop_;
  networks::BetweenBlocks between_;
};

pipeline::Conditioning Run::condition(const InputImages& images, const Tensor& augmentation) {
  networks::ClipVisionModelWithProjection clip(config_.clip);
  networks::AutoencoderEncoder vae(config_.vae);
  stage(Stage::load_conditioning, 0, [&] {
    pipeline::load_weights(clip, checkpoint_, Part::image_encoder, dtype_, device_, between_);
    pipeline::load_weights(vae, checkpoint_, Part::vae, vae_dtype_, device_, between_);
  });

  pipeline::Conditioning conditioning;
  stage(Stage::condition, 0, [&] {
    const Image& seen = profile_.clip_reads_region ? images.region : images.fitted;
    const Tensor pixels = pipeline::clip_pixels(seen, config_.clip);
    conditioning.image_embeds =
        clip.forward(pixels.to(device_, dtype_), between_).unsqueeze(1).to(at::kFloat);
    const Tensor noised =
        pipeline::to_pixels(images.fitted) + request_.noise_aug_strength * augmentation;
    conditioning.image_latents =
        vae.encode_mode(noised.to(device_, vae_dtype_), between_).to(at::kFloat);
    conditioning.added_time_ids =
        at::tensor({request_.condition_fps, request_.motion_bucket_id, request_.noise_aug_strength},
                   at::kDouble)
            .to(at::kFloat)
            .unsqueeze(0);
    require_finite(conditioning.image_embeds, "the image embedding");
    require_finite(conditioning.image_latents, "the encoded image");
  });
  pipeline::unload_weights(clip, checkpoint_, Part::image_encoder);
  pipeline::unload_weights(vae, checkpoint_, Part::vae);
  pipeline::empty_cache(device_);
  return conditioning;
}

Tensor Run::sample(const pipeline::Conditioning& conditioning, const Tensor& noise) {
  networks::UNetSpatioTemporalConditionModel unet(config_.unet, profile_.unet_eps);
  stage(Stage::load_unet, 0,
        [&] { pipeline::load_weights(unet, checkpoint_, Part::unet, dtype_, device_, between_); });

  const SchedulerConfig& scheduler = config_.scheduler;
  const std::vector<double> sigmas = sampling::karras_sigmas(request_.steps, scheduler.sigma_min,
                                                             scheduler.sigma_max, scheduler.rho);
  std::vector<float> guidance =
      sampling::linear_guidance(request_.min_guidance, request_.max_guidance, request_.frames);
  if (profile_.max_one_is_unguided && request_.max_guidance <= 1)
    std::fill(guidance.begin(), guidance.end(), 1.0f);

  Tensor latents;
  stage(Stage::sample, request_.steps, [&] {
    const sampling::Denoiser denoiser =
        pipeline::guided_denoiser(unet, conditioning, sigmas, guidance, dtype_, device_, between_);
    const Tensor start = noise.to(device_) * sampling::initial_scale(sigmas.front());
    const auto on_step = [&](int step, const Tensor&, const Tensor&) {
      observer_.on_progress(Stage::sample, step, request_.steps);
    };
    latents = sampling::sample_euler(denoiser, start, sigmas, on_step, stop_);
    throw_if_stopped();
    require_finite(latents, "the sampled clip");
  });
  pipeline::unload_weights(unet, checkpoint_, Part::unet);
  pipeline::empty_cache(device_);
  return latents[0].cpu();  // [F, 4, h, w]
}

void Run::decode(const Tensor& latents, FrameSink& sink) {
  const std::unique_ptr<networks::VideoDecoder> decoder = networks::make_decoder(config_.vae);
  stage(Stage::load_decoder, 0, [&] {
    pipeline::load_weights(*decoder, checkpoint_, Part::vae, vae_dtype_, device_, between_);
  });
  const pipeline::DecodeOptions options{.scaling_factor = config_.vae.scaling_factor,
                                        .chunk = request_.decode_chunk,
                                        .round = profile_.round_frames,
                                        .dtype = vae_dtype_,
                                        .device = device_};
  stage(Stage::decode, request_.frames, [&] {
    const auto on_frame = [&](int done) {
      result_.frames_written = done;
      observer_.on_progress(Stage::decode, done, request_.frames);
    };
    pipeline::decode_to_sink(*decoder, latents, options, sink, on_frame, between_);
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

Result Generator::run(const Request& request, const InputImages& images, FrameSink& sink,
                      Observer& observer, std::stop_token stop) {
  Result result;
  result.request = request;
  result.model = state_->summary.name;
  const auto start = std::chrono::steady_clock::now();
  pipeline::translate_torch_errors([&] {
    check_images(images, request);
    const c10::InferenceMode no_gradients;
    pipeline::install_cpu_cache();
    at::set_num_threads(request.threads);
    const ModelConfig& config = state_->checkpoint.config();
    pipeline::Noise noise =
        pipeline::draw_noise(request.seed, request.height, request.width, request.frames, config);
    if (request.init_latents)
      noise.latents = pipeline::read_init_latents(*request.init_latents, request, config);

    Run run(state_->checkpoint, request, observer, result, stop);
    const pipeline::Conditioning conditioning = run.condition(images, noise.augmentation);
    const Tensor latents = run.sample(conditioning, noise.latents);
    if (request.save_latents)
      weights::save_safetensors(*request.save_latents, {{"latents", latents}});
    run.decode(latents, sink);
    pipeline::empty_cache(c10::Device(request.device));
  });
  result.seconds = seconds_since(start);
  result.peak_rss_bytes = peak_rss_bytes();
  return result;
}

}  // namespace svd
