#include "svd/generator.h"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <utility>

#include "pipeline/background_sink.h"
#include "pipeline/conditioning.h"
#include "pipeline/cpu_memory.h"
#include "pipeline/device.h"
#include "pipeline/errors.h"
#include "pipeline/guard.h"
#include "pipeline/latents_file.h"
#include "pipeline/memory_plan.h"
#include "pipeline/networks.h"
#include "pipeline/resolve.h"
#include "pipeline/run.h"
#include "pipeline/system_memory.h"
#include "svd/error.h"
#include "weights/checkpoint.h"
#include "weights/lora.h"
#include "weights/model_search.h"

namespace svd {
namespace {

using at::Tensor;
using pipeline::BackgroundSink;
using weights::Checkpoint;

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

void check_images(const InputImages& images, const Request& request) {
  for (const Image* image : {&images.region, &images.fitted}) {
    if (image->width < 1 || image->height < 1 ||
        image->rgb.size() != std::size_t(image->width) * std::size_t(image->height) * 3)
      throw Error(ErrorKind::usage, "an input image does not hold height * width * 3 bytes");
  }
  if (images.fitted.width != request.width || images.fitted.height != request.height)
    throw Error(ErrorKind::usage, "the fitted image does not have the size of the request");
}

void use_plan(const MemoryPlan& plan, const Request& request) {
  pipeline::install_cpu_cache(plan.cache_bytes);
  nn::part_limits() = pipeline::part_limits(plan);
  at::set_num_threads(request.threads);
}

}  // namespace

struct Generator::State {
  ModelSummary summary;
  Checkpoint checkpoint;
  bool keep_networks = false;
  pipeline::Kept kept = {};  // its networks read the checkpoint

  using Stages = std::function<void(pipeline::Run&, FrameSink&)>;
  void perform(Result& result, std::optional<Stage> only, FrameSink& sink, Observer& observer,
               std::stop_token stop, const Stages& stages);
};

/// What all renders share: plans result.request, or its stage `only`, and runs `stages`.
void Generator::State::perform(Result& result, std::optional<Stage> only, FrameSink& sink,
                               Observer& observer, std::stop_token stop, const Stages& stages) {
  const Request& request = result.request;
  result.model = summary.name;
  const auto start = std::chrono::steady_clock::now();
  pipeline::translate_torch_errors([&] {
    const c10::InferenceMode no_gradients;
    // It comes back after a run that went well only: nothing broken stays.
    pipeline::Kept loaded = std::exchange(kept, {});
    loaded.drop_unlike(request);
    if (only) loaded.drop_unet();
    const ModelConfig& config = checkpoint.config();
    const pipeline::MemoryLimits limits = pipeline::memory_limits(request, loaded.bytes());
    const pipeline::PlanOptions options{sink.bit_depth(), keep_networks};
    result.memory = only ? pipeline::plan_stage(request, config, limits, *only, options)
                         : pipeline::plan_memory(request, config, limits, options);
    if (!result.memory.keep_networks) loaded.drop_networks();
    use_plan(result.memory, request);

    pipeline::Run run(checkpoint, result, limits, loaded, keep_networks, observer, std::move(stop));
    // Room for a whole chunk: encoding it runs beside decoding the next.
    BackgroundSink background(sink, static_cast<std::size_t>(request.decode_chunk));
    stages(run, background);
    pipeline::empty_cache(c10::Device(request.device));
    kept = std::move(loaded);
  });
  result.seconds = seconds_since(start);
  result.peak_rss_bytes = pipeline::peak_resident_bytes();
}

Generator::Generator(const ModelOptions& options) {
  pipeline::translate_torch_errors([&] {
    const bool short_clip = options.frames && *options.frames <= 14;
    const weights::FoundModel found = weights::find_model(
        options.model.value_or(short_clip ? "svd" : "svd-xt"), options.models_dir);
    Checkpoint checkpoint = open_checked(found.path);
    for (const std::string& text : options.loras) {
      const weights::LoraChoice choice = weights::parse_lora(text);
      checkpoint.add_lora(weights::Lora::open(
          weights::find_lora(choice.name, found.path, options.models_dir), choice.strength));
    }
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

void Generator::set_keep_networks(bool keep) {
  state_->keep_networks = keep;
  if (keep) return;
  state_->kept.drop_networks();
  state_->kept = {};
}

MemoryPlan Generator::plan(const Request& request, int bit_depth) const {
  MemoryPlan plan;
  pipeline::translate_torch_errors([&] {
    plan = pipeline::plan_memory(request, state_->checkpoint.config(),
                                 pipeline::memory_limits(request, state_->kept.bytes()),
                                 {bit_depth, state_->keep_networks});
  });
  return plan;
}

Result Generator::run(const Request& request, const InputImages& images, FrameSink& sink,
                      Observer& observer, std::stop_token stop) {
  check_images(images, request);
  Result result;
  result.request = request;
  const auto stages = [&](pipeline::Run& run, FrameSink& background) {
    const ModelConfig& config = state_->checkpoint.config();
    pipeline::Noise noise =
        pipeline::draw_noise(request.seed, request.height, request.width, request.frames, config);
    if (request.init_latents)
      noise.latents = pipeline::read_init_latents(*request.init_latents, request, config);
    const pipeline::Conditioning conditioning = run.condition(images, noise.augmentation);
    const Tensor latents = run.sample(conditioning, noise.latents);
    if (request.save_latents)
      pipeline::save_latents(*request.save_latents, latents, request.latents_metadata);
    run.decode(latents, background, pipeline::is_nearly_black(images.fitted));
  };
  state_->perform(result, std::nullopt, sink, observer, std::move(stop), stages);
  return result;
}

Result Generator::decode(const Request& request, const std::string& latents_path, FrameSink& sink,
                         Observer& observer, std::stop_token stop) {
  Result result;
  result.request = request;
  Tensor latents;
  pipeline::translate_torch_errors([&] {
    const ModelConfig& config = state_->checkpoint.config();
    latents = pipeline::read_latents(latents_path, config);
    Request& actual = result.request;
    actual.frames = static_cast<int>(latents.size(0));
    actual.height = static_cast<int>(latents.size(2)) * config.vae.factor();
    actual.width = static_cast<int>(latents.size(3)) * config.vae.factor();
    actual.decode_chunk = std::min(request.decode_chunk, actual.frames);
  });
  // Nobody knows the picture, so black frames may be right.
  const auto stages = [&](pipeline::Run& run, FrameSink& background) {
    run.decode(latents, background, true);
  };
  state_->perform(result, Stage::decode, sink, observer, std::move(stop), stages);
  return result;
}

}  // namespace svd
