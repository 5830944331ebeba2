#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/new_folder.h"
#include "training/synth.h"
#include "weights/safetensors.h"

/// A cached dataset: a folder of
///
///     clips.jsonl: a line a clip, with shard, row, fps, motion_score, motion_bucket_id, ...
///
///     shard-00000.safetensors: "frames" [N, F, H, W, 3] uint8, clips of one shape
///
/// which is all that training reads of data.
namespace svd::training {

/// What a cache knows of a clip besides its frames.
struct ClipInfo {
  std::string shard;  ///< file name
  std::int64_t row = 0;
  std::int64_t frames = 0;
  std::int64_t width = 0;
  std::int64_t height = 0;
  double fps = 7;
  double motion_score = 0;
  int motion_bucket_id = 0;
  std::string motion;
  std::string source;
  std::optional<Flow> flow = {};
};

/// Writes a cache. Shards are complete or absent; clips.jsonl is written last, by `finish`, without
/// which nothing stays.
class ClipCacheWriter {
 public:
  /// Makes the folder. Throws Error{output} if it holds anything already.
  explicit ClipCacheWriter(const std::filesystem::path& folder) : folder_(folder) {}
  void add(const Clip& clip);
  void finish();
  /// Added so far.
  std::int64_t clips() const { return clips_; }

 private:
  struct Pending {
    std::vector<at::Tensor> frames;
    std::vector<ClipInfo> infos;
  };
  using Shape = std::vector<std::int64_t>;
  void flush(Pending& pending);

  NewFolder folder_;
  std::map<Shape, Pending> pending_;
  std::vector<std::string> lines_;
  std::int64_t clips_ = 0;
  int shards_ = 0;
};

/// An opened cache. Throws Error{usage} naming file and line where it is broken.
class ClipCache {
 public:
  explicit ClipCache(std::filesystem::path folder);

  const std::filesystem::path& folder() const { return folder_; }
  const std::vector<ClipInfo>& clips() const { return clips_; }
  /// A name for its clips: other contents of clips.jsonl, another name.
  const std::string& id() const { return id_; }
  /// [F, H, W, 3] uint8, a view of the mapped file that must not be written to.
  at::Tensor frames(const ClipInfo& clip) const;

 private:
  std::filesystem::path folder_;
  std::vector<ClipInfo> clips_;
  std::string id_;
  std::map<std::string, at::Tensor> shards_;
};

}  // namespace svd::training
