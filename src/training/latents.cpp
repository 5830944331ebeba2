#include "training/latents.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <memory>
#include <system_error>

#include "base/atomic_file.h"
#include "pipeline/conditioning.h"
#include "training/model_folder.h"
#include "training/objective.h"
#include "training/weights_in.h"
#include "weights/config_reader.h"
#include "weights/safetensors.h"

namespace svd::training {
namespace {

namespace fs = std::filesystem;
const nn::BeforeUnit kNothing = [](const nn::Module&) {};

constexpr std::int64_t kPixels = std::int64_t{4} << 20;  // that are encoded at once
constexpr const char* kDataset = "dataset";              // of a file's metadata: which clips

/// Null for a file that can be read and is damaged.
std::shared_ptr<const weights::SafetensorsFile> open_if_whole(const fs::path& path) {
  try {
    return weights::SafetensorsFile::open(path);
  } catch (const Error&) {
    if (!std::ifstream(path)) throw;
    return nullptr;
  }
}

/// The latents of some clips, whose numbers are `clips`, as the file holds them. Empty where there
/// is no such file, a damaged one, or one of other clips.
std::vector<at::Tensor> stored_latents(const fs::path& path, const ClipCache& cache,
                                       const std::vector<std::size_t>& clips) {
  std::error_code code;
  if (!fs::exists(path, code)) return {};
  const auto file = open_if_whole(path);
  if (!file) return {};
  const auto dataset = file->metadata().find(kDataset);
  if (dataset == file->metadata().end() || dataset->second != cache.id()) return {};
  std::vector<at::Tensor> latents;
  for (const std::size_t clip : clips) {
    const weights::TensorInfo* const info = file->find(std::to_string(clip));
    if (info == nullptr) return {};
    latents.push_back(file->tensor(*info));
  }
  return latents;
}

/// Encodes some clips and stores their latents. `on_clip()` is called before each.
void store_latents(const fs::path& path, const ClipCache& cache,
                   const std::vector<std::size_t>& clips, const Encoders& encoders,
                   const std::function<void()>& on_clip) {
  std::vector<std::pair<std::string, at::Tensor>> latents;
  for (const std::size_t clip : clips) {
    on_clip();
    const at::Tensor pixels = to_pixels(cache.frames(cache.clips()[clip]));
    latents.emplace_back(std::to_string(clip),
                         encoders.encode(pixels).to(at::kHalf).cpu().contiguous());
  }
  weights::save_safetensors(path, latents, {{kDataset, cache.id()}});
}

}  // namespace

Encoders::Encoders(const fs::path& model, const c10::Device& device)
    : config_(weights::read_folder_config(model)),
      device_(device),
      vae_(config_.vae),
      clip_(config_.clip) {
  const at::NoGradGuard no_gradients;
  const auto [vae_folder, vae_stem] = place_of(weights::Part::vae);
  if (!read_weights(vae_.parameters(), model / vae_folder, vae_stem))
    throw Error(ErrorKind::model, fmt::format("{} has no weights", (model / vae_folder).string()),
                "the UNet is trained on latents: train the stage vae_image first");
  const auto [clip_folder, clip_stem] = place_of(weights::Part::image_encoder);
  if (!read_weights(clip_.parameters(), model / clip_folder, clip_stem)) {
    initialise(
        clip_.parameters(), [](const std::string&) { return false; },
        at::detail::createCPUGenerator(0));
    for (const nn::Parameter& parameter : clip_.parameters())
      clip_begun_here_.emplace_back(parameter.name, *parameter.tensor);
  }
  vae_id_ = fingerprint(vae_.parameters()).substr(0, 16);
  clip_id_ = fingerprint(clip_.parameters());
  move_to(device_, vae_.parameters());
  move_to(device_, clip_.parameters());
  vae_.fold();
}

at::Tensor Encoders::encode(const at::Tensor& pixels) const {
  const at::NoGradGuard no_gradients;
  // A clip at once, unless its pictures are large.
  const std::int64_t chunk = std::max<std::int64_t>(1, kPixels / (pixels.size(2) * pixels.size(3)));
  std::vector<at::Tensor> latents;
  for (const at::Tensor& part : pixels.split(chunk))
    latents.push_back(vae_.encode_mode(part.to(device_), kNothing));
  return at::cat(latents);
}

at::Tensor Encoders::embed(const at::Tensor& frames) const {
  const at::NoGradGuard no_gradients;
  std::vector<at::Tensor> pixels;
  for (std::int64_t i = 0; i < frames.size(0); ++i) {
    const at::Tensor frame = frames[i].contiguous();
    Image image{static_cast<int>(frame.size(1)), static_cast<int>(frame.size(0)), {}};
    image.rgb.resize(static_cast<std::size_t>(frame.numel()));
    std::memcpy(image.rgb.data(), frame.const_data_ptr(), image.rgb.size());
    pixels.push_back(pipeline::clip_pixels(image, config_.clip));
  }
  return clip_.forward(at::cat(pixels).to(device_), kNothing).unsqueeze(1);
}

LatentCache::LatentCache(const std::vector<ClipCache>& caches, const Encoders& encoders,
                         const Progress& on_progress) {
  struct Missing {
    const ClipCache* cache;
    std::vector<std::size_t> clips;
    fs::path path;
  };
  std::vector<Missing> missing;
  std::int64_t total = 0, done = 0;
  for (const ClipCache& cache : caches) {
    const auto [place, is_new] = latents_.try_emplace(cache.folder(), cache.clips().size());
    if (!is_new) continue;
    std::map<std::string, std::vector<std::size_t>> by_shard;
    for (std::size_t i = 0; i < cache.clips().size(); ++i)
      by_shard[cache.clips()[i].shard].push_back(i);
    remove_abandoned(cache.folder());
    for (auto& [shard, clips] : by_shard) {
      const fs::path path = cache.folder() / fmt::format("latents-{}-{}", encoders.vae_id(), shard);
      if (keep(cache, clips, path)) continue;
      total += static_cast<std::int64_t>(clips.size());
      const AtomicPath can_be_written(path, AtomicPath::Type::file);  // throws before the work
      missing.push_back({&cache, std::move(clips), path});
    }
  }
  for (const auto& [cache, clips, path] : missing) {
    store_latents(path, *cache, clips, encoders, [&] { on_progress(done++, total); });
    if (!keep(*cache, clips, path))
      throw Error(ErrorKind::output,
                  fmt::format("{}: changed while it was written", path.string()));
  }
}

bool LatentCache::keep(const ClipCache& cache, const std::vector<std::size_t>& clips,
                       const fs::path& path) {
  const std::vector<at::Tensor> stored = stored_latents(path, cache, clips);
  if (stored.empty()) return false;
  std::vector<at::Tensor>& latents = latents_.at(cache.folder());
  for (std::size_t i = 0; i < clips.size(); ++i) latents[clips[i]] = stored[i];
  return true;
}

at::Tensor LatentCache::of(const ClipRef& clip) const {
  return latents_.at(clip.cache->folder())[clip.index];
}

}  // namespace svd::training
