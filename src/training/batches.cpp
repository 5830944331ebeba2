#include "training/batches.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "training/draw.h"

namespace svd::training {
namespace {

template <class T>
void shuffle_with(Draw& draw, std::vector<T>& items) {
  for (std::size_t i = items.size(); i > 1; --i)
    std::swap(items[i - 1], items[static_cast<std::size_t>(draw.index(static_cast<int>(i)))]);
}

/// "clips of up to 14 frames with these motions: still, zoom_in".
std::string kinds_of(const std::vector<ClipCache>& caches) {
  std::int64_t frames = 0;
  std::set<std::string> motions;
  for (const ClipCache& cache : caches)
    for (const ClipInfo& clip : cache.clips()) {
      frames = std::max(frames, clip.frames);
      if (!clip.motion.empty()) motions.insert(clip.motion);
    }
  return fmt::format("clips of up to {} frames{}{}", frames,
                     motions.empty() ? "" : " with these motions: ", fmt::join(motions, ", "));
}

}  // namespace

Batches::Batches(const TrainConfig& config)
    : seed_(config.seed), batch_(static_cast<std::size_t>(config.batch)) {
  for (const auto& folder : config.data) caches_.emplace_back(folder);
  std::map<std::array<std::int64_t, 3>, std::vector<ClipRef>> by_shape;
  for (const ClipCache& cache : caches_) {
    for (std::size_t i = 0; i < cache.clips().size(); ++i) {
      const ClipInfo& clip = cache.clips()[i];
      const bool is_wanted = config.motions.empty() ||
                             std::find(config.motions.begin(), config.motions.end(), clip.motion) !=
                                 config.motions.end();
      if (!is_wanted || clip.frames < config.frames) continue;
      const std::int64_t frames = config.frames > 0 ? config.frames : clip.frames;
      by_shape[{frames, clip.height, clip.width}].push_back({&cache, i});
    }
  }
  std::int64_t fitting = 0;
  std::vector<std::string> left_out;
  for (auto& [shape, clips] : by_shape) {
    const auto count = static_cast<std::int64_t>(clips.size());
    fitting += count;
    if (clips.size() < batch_) {
      const auto& [frames, height, width] = shape;
      left_out.push_back(fmt::format("{} of {} frames of {}x{}", count, frames, width, height));
      continue;
    }
    clips_ += count;
    batches_an_epoch_ += count / std::int64_t(batch_);
    shapes_.push_back(std::move(clips));
  }
  left_out_ = fmt::format("{}", fmt::join(left_out, ", "));
  if (batches_an_epoch_ == 0)
    throw Error(
        ErrorKind::usage,
        fmt::format("'data' has no 'batch' of {} clips of one size {}{}", batch_,
                    config.frames > 0 ? fmt::format("with at least {} frames", config.frames)
                                      : "and number of frames",
                    config.motions.empty() ? "" : " and one of the 'motions'"),
        fitting > 0 ? fmt::format("{} clips fit but for that", fitting)
                    : "there are " + kinds_of(caches_));
}

std::vector<ClipRef> Batches::shapes() const {
  std::vector<ClipRef> clips;
  for (const std::vector<ClipRef>& shape : shapes_) clips.push_back(shape.front());
  return clips;
}

std::vector<ClipRef> Batches::at(std::int64_t position) {
  const std::int64_t epoch = position / batches_an_epoch_;
  if (epoch != epoch_) shuffle(epoch);
  return order_[static_cast<std::size_t>(position % batches_an_epoch_)];
}

void Batches::shuffle(std::int64_t epoch) {
  Draw draw(seed_ * 1'000'003 + static_cast<std::uint64_t>(epoch));
  order_.clear();
  for (std::vector<ClipRef> clips : shapes_) {
    shuffle_with(draw, clips);
    for (std::size_t i = 0; i + batch_ <= clips.size(); i += batch_)
      order_.emplace_back(clips.begin() + static_cast<std::ptrdiff_t>(i),
                          clips.begin() + static_cast<std::ptrdiff_t>(i + batch_));
  }
  shuffle_with(draw, order_);
  epoch_ = epoch;
}

}  // namespace svd::training
