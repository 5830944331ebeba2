#include "cli/dataset.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include "svd/error.h"
#include "training/clip_cache.h"
#ifdef SVD_HAVE_MEDIA
#include "media/clip_reader.h"
#include "media/fit.h"
#include "media/motion.h"
#endif

namespace svd::cli {

#ifdef SVD_HAVE_MEDIA
namespace {

namespace fs = std::filesystem;
constexpr double kUnknownFps = 7;  // of a single picture; what a render is told by default

/// Those of a folder and of the folders in it, but for hidden ones. What is in `folder` and cannot
/// be listed is warned of.
std::vector<fs::path> files_below(const fs::path& folder, Console& console) {
  std::error_code code;
  std::vector<fs::path> files;
  std::vector<fs::path> folders = {folder};
  while (!folders.empty()) {
    const fs::path at = std::move(folders.back());
    folders.pop_back();
    auto entry = fs::directory_iterator(at, code);
    for (; !code && entry != fs::directory_iterator(); entry.increment(code)) {
      std::error_code gone;  // between the listing and now: neither a file nor a folder
      if (entry->path().filename().string().starts_with('.')) continue;
      if (entry->is_regular_file(gone))
        files.push_back(entry->path());
      else if (entry->is_directory(gone) && !entry->is_symlink(gone))
        folders.push_back(entry->path());
      else
        console.warning(fmt::format("left out: {}: neither a file nor a folder of its own",
                                    entry->path().string()));
    }
    if (code && at == folder)
      throw Error(ErrorKind::image, fmt::format("--from {}: {}", at.string(), code.message()));
    if (code) console.warning(fmt::format("left out: {}: {}", at.string(), code.message()));
  }
  std::sort(files.begin(), files.end());
  return files;
}

at::Tensor to_frames(const std::vector<Image>& images) {
  const auto count = static_cast<std::int64_t>(images.size());
  at::Tensor frames = at::empty({count, images[0].height, images[0].width, 3}, at::kByte);
  for (std::int64_t i = 0; i < count; ++i)
    std::memcpy(frames[i].mutable_data_ptr(), images[std::size_t(i)].rgb.data(),
                images[std::size_t(i)].rgb.size());
  return frames;
}

/// What became otherwise than asked for.
struct Tally {
  int unread = 0;     ///< files
  int slow = 0;       ///< clips with less motion than asked for
  int below_fps = 0;  ///< clips that were written with fewer frames a second than asked for
  std::size_t most_frames = 0;  ///< of a file, at the wanted rate
};

/// The clips of one file: its frames in order, `frames` each, marked with their mean rate. What is
/// left at the end is dropped.
class Cutter {
 public:
  Cutter(const DatasetOptions& options, std::string source, training::ClipCacheWriter& writer,
         Tally& tally)
      : options_(options), source_(std::move(source)), writer_(writer), tally_(tally) {}

  /// Frames that begin between two moments of the wanted rate are passed over. Moments without a
  /// frame are not made up for.
  void add(const Image& frame, double seconds) {
    if (options_.fps) {
      const double moment = (seconds + kTolerance) * *options_.fps;
      if (moment < next_) return;
      next_ = std::floor(moment) + 1;
    }
    ++taken_;
    tally_.most_frames = std::max(tally_.most_frames, std::size_t(taken_));
    images_.push_back(
        media::fit_image(frame, options_.size.first, options_.size.second, Fit::crop).fitted);
    times_.push_back(seconds);
    if (static_cast<int>(images_.size()) == options_.frames) flush();
  }

 private:
  static constexpr double kTolerance = 1e-4;
  static constexpr double kNearlyFps = 0.9;  // of the wanted rate: frames are not picked evenly

  void flush() {
    const double length = times_.back() - times_.front();
    const double fps = length > 0 ? double(images_.size() - 1) / length : kUnknownFps;
    const media::ClipMotion motion = media::measure_motion(images_, fps);
    if (motion.score >= options_.least_motion) {
      writer_.add({to_frames(images_), fps, motion.score, "", source_,
                   training::Flow{motion.mean_x, motion.mean_y, motion.divergence}});
      if (options_.fps && length > 0 && fps < kNearlyFps * *options_.fps) ++tally_.below_fps;
    } else {
      ++tally_.slow;
    }
    images_.clear();
    times_.clear();
  }

  const DatasetOptions& options_;
  std::string source_;
  training::ClipCacheWriter& writer_;
  Tally& tally_;
  std::vector<Image> images_;
  std::vector<double> times_;
  std::int64_t taken_ = 0;
  double next_ = 0;  ///< moment of the wanted rate that a frame is due at
};

}  // namespace

void dataset(const DatasetOptions& options, Console& console, SignalWatcher& signals) {
  const std::stop_token stop = signals.begin([&console] { console.info("stopping ..."); });
  std::vector<fs::path> files;
  for (const std::string& folder : options.from)
    for (fs::path& file : files_below(folder, console)) files.push_back(std::move(file));
  training::ClipCacheWriter writer(options.folder);
  Tally tally;
  for (std::size_t i = 0; i < files.size(); ++i) {
    console.status(fmt::format("reading files {}/{}", i + 1, files.size()));
    Cutter cutter(options, files[i].filename().string(), writer, tally);
    const std::int64_t before = writer.clips();
    try {
      media::read_clip(files[i], [&](const Image& frame, double seconds) {
        if (stop.stop_requested()) throw Error(ErrorKind::interrupted, "stopped");
        cutter.add(frame, seconds);
        return true;
      });
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::image) throw;
      ++tally.unread;
      const std::int64_t kept = writer.clips() - before;
      console.warning(fmt::format(
          "left out{}: {}", kept > 0 ? fmt::format(", after {} clips", kept) : "", error.what()));
    }
  }
  console.clear_status();
  if (writer.clips() == 0)
    throw Error(
        ErrorKind::image,
        fmt::format("--from {}: no clip of {} frames in {} files", fmt::join(options.from, ", "),
                    options.frames, files.size()),
        fmt::format("{} files cannot be read; the longest has {} frames{}; {} clips move less than "
                    "--least-motion",
                    tally.unread, tally.most_frames, options.fps ? " at --fps" : "", tally.slow));
  writer.finish();
  if (tally.below_fps > 0)
    console.warning(
        fmt::format("clips with fewer frames a second than --fps {:g}, marked with their own: {}",
                    *options.fps, tally.below_fps));
  console.info(fmt::format("{}: {} clips of {} files", options.folder, writer.clips(),
                           files.size() - std::size_t(tally.unread)));
}
#else
void dataset(const DatasetOptions&, Console&, SignalWatcher&) {
  throw Error(ErrorKind::usage, "dataset: this build of svd-gen reads no videos",
              "svd-gen synth draws clips");
}
#endif

}  // namespace svd::cli
