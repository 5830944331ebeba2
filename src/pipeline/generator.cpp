#include "svd/generator.h"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "pipeline/background_sink.h"
#include "pipeline/conditioning.h"
#include "pipeline/cpu_memory.h"
#include "pipeline/device.h"
#include "pipeline/errors.h"
#include "pipeline/guard.h"
#include "pipeline/memory_plan.h"
#include "pipeline/networks.h"
#include "pipeline/resolve.h"
#include "pipeline/run.h"
#include "pipeline/system_memory.h"
#include "svd/error.h"
#include "weights/checkpoint.h"
#include "weights/model_search.h"
#include "weights/safetensors.h"

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
  Result result;
  result.request = request;
  result.model = state_->summary.name;
  const auto start = std::chrono::steady_clock::now();
  pipeline::translate_torch_errors([&] {
    check_images(images, request);
    const c10::InferenceMode no_gradients;
    // It comes back after a run that went well only: nothing broken stays.
    pipeline::Kept kept = std::exchange(state_->kept, {});
    kept.drop_unlike(request);
    const ModelConfig& config = state_->checkpoint.config();
    const pipeline::MemoryLimits limits = pipeline::memory_limits(request, kept.bytes());
    result.memory =
        pipeline::plan_memory(request, config, limits, {sink.bit_depth(), state_->keep_networks});
    if (!result.memory.keep_networks) kept.drop_networks();
    use_plan(result.memory, request);

    pipeline::Noise noise =
        pipeline::draw_noise(request.seed, request.height, request.width, request.frames, config);
    if (request.init_latents)
      noise.latents = pipeline::read_init_latents(*request.init_latents, request, config);
    pipeline::Run run(state_->checkpoint, result, limits, kept, state_->keep_networks, observer,
                      stop);
    const pipeline::Conditioning conditioning = run.condition(images, noise.augmentation);
    const Tensor latents = run.sample(conditioning, noise.latents);
    if (request.save_latents)
      weights::save_safetensors(*request.save_latents, {{"latents", latents}});
    // Room for a whole chunk: encoding it runs beside decoding the next.
    BackgroundSink background(sink, static_cast<std::size_t>(request.decode_chunk));
    run.decode(latents, background, pipeline::is_nearly_black(images.fitted));
    pipeline::empty_cache(c10::Device(request.device));
    state_->kept = std::move(kept);
  });
  result.seconds = seconds_since(start);
  result.peak_rss_bytes = pipeline::peak_resident_bytes();
  return result;
}

}  // namespace svd
