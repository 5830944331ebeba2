#include "cli/synth.h"

#include <fmt/core.h>

#include <filesystem>
#include <memory>
#include <span>

#include "base/atomic_file.h"
#include "base/json.h"
#include "base/new_folder.h"
#include "svd/error.h"
#include "training/clip_cache.h"
#include "training/synth.h"
#ifdef SVD_HAVE_MEDIA
#include "media/frame_writer.h"
#endif

namespace svd::cli {
namespace {

namespace fs = std::filesystem;

/// Where drawn clips go.
class ClipStore {
 public:
  virtual ~ClipStore() = default;
  virtual void add(const training::Clip& clip) = 0;
  virtual void finish() = 0;
};

class CacheStore : public ClipStore {
 public:
  explicit CacheStore(const fs::path& folder) : writer_(folder) {}
  void add(const training::Clip& clip) override { writer_.add(clip); }
  void finish() override { writer_.finish(); }

 private:
  training::ClipCacheWriter writer_;
};

#ifdef SVD_HAVE_MEDIA
constexpr const char* kAnnotations = "annotations.jsonl";

/// clip-00000.mp4, ... and annotations.jsonl with file, fps, motion, motion_score, motion_bucket_id
/// and source of each.
class VideoStore : public ClipStore {
 public:
  explicit VideoStore(const fs::path& folder) : folder_(folder) {}

  void add(const training::Clip& clip) override {
    const std::string name = fmt::format("clip-{:05}.mp4", count_++);
    media::OutputOptions output;
    output.path = folder_.file(name);
    output.frames = static_cast<int>(clip.frames.size(0));
    output.height = static_cast<int>(clip.frames.size(1));
    output.width = static_cast<int>(clip.frames.size(2));
    output.fps = clip.fps;
    const std::unique_ptr<FrameSink> sink = media::open_output(output);
    for (std::int64_t i = 0; i < clip.frames.size(0); ++i) {
      const at::Tensor frame = clip.frames[i];
      sink->write({frame.const_data_ptr<std::uint8_t>(), static_cast<std::size_t>(frame.numel())});
    }
    sink->finish();
    lines_ += one_line({{"file", name},
                        {"fps", clip.fps},
                        {"motion", clip.motion},
                        {"motion_score", clip.motion_score},
                        {"motion_bucket_id", training::motion_bucket(clip.motion_score)},
                        {"source", clip.source}}) +
              "\n";
  }

  void finish() override {
    write_text_file(folder_.file(kAnnotations), lines_, false);
    folder_.keep();
  }

 private:
  NewFolder folder_;
  std::string lines_;
  int count_ = 0;
};
#endif

std::unique_ptr<ClipStore> open_store(const SynthCommandOptions& options) {
  if (!options.videos) return std::make_unique<CacheStore>(options.folder);
#ifdef SVD_HAVE_MEDIA
  return std::make_unique<VideoStore>(options.folder);
#else
  throw Error(ErrorKind::usage, "--videos: this build of svd-gen writes no videos");
#endif
}

training::SynthOptions options_of(const SynthCommandOptions& options, int index) {
  const auto& [width, height] = options.sizes[std::size_t(index) % options.sizes.size()];
  training::SynthOptions synth;
  synth.frames = options.frames;
  synth.width = width;
  synth.height = height;
  synth.fps = options.fps;
  if (!options.motions.empty())
    synth.motion = training::motion_named(
        options.motions[std::size_t(index) / options.sizes.size() % options.motions.size()]);
  return synth;
}

}  // namespace

void synth(const SynthCommandOptions& options, Console& console, SignalWatcher& signals) {
  const std::stop_token stop = signals.begin([&console] { console.info("stopping ..."); });
  const std::unique_ptr<ClipStore> store = open_store(options);
  for (int i = 0; i < options.clips; ++i) {
    if (stop.stop_requested()) throw Error(ErrorKind::interrupted, "stopped");
    // Far from each other, so that datasets of neighbouring seeds share no clip.
    const std::uint64_t seed = (options.seed << 32) + std::uint64_t(i);
    store->add(training::synthesize(seed, options_of(options, i)));
    console.status(fmt::format("drawing clips {}/{}", i + 1, options.clips));
  }
  store->finish();
  console.clear_status();
  console.info(fmt::format("{}: {} clips", options.folder, options.clips));
}

}  // namespace svd::cli
