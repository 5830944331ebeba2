#include "training/clip_cache.h"

#include <ATen/ops/stack.h>
#include <fmt/format.h>

#include <fstream>
#include <set>
#include <utility>

#include "base/atomic_file.h"
#include "base/json.h"
#include "weights/fingerprint.h"

namespace svd::training {
namespace {

namespace fs = std::filesystem;
constexpr const char* kIndex = "clips.jsonl";
constexpr const char* kFrames = "frames";
constexpr std::int64_t kShardBytes = std::int64_t{64} << 20;

std::string line_of(const ClipInfo& clip) {
  nlohmann::ordered_json json = {{"shard", clip.shard},
                                 {"row", clip.row},
                                 {"frames", clip.frames},
                                 {"width", clip.width},
                                 {"height", clip.height},
                                 {"fps", clip.fps},
                                 {"motion_score", clip.motion_score},
                                 {"motion_bucket_id", clip.motion_bucket_id},
                                 {"motion", clip.motion},
                                 {"source", clip.source}};
  if (clip.flow)
    json["flow"] = {
        {"x", clip.flow->x}, {"y", clip.flow->y}, {"divergence", clip.flow->divergence}};
  return one_line(json);
}

ClipInfo parse_line(const std::string& line, const std::string& source) {
  const Json json = parse_json(line, source, ErrorKind::usage);
  const JsonObject object(json, source, ErrorKind::usage);
  object.allow_only({"shard", "row", "frames", "width", "height", "fps", "motion_score",
                     "motion_bucket_id", "motion", "source", "flow"});
  ClipInfo clip;
  clip.shard = object.string("shard");
  if (clip.shard.find('/') != std::string::npos) object.fail("shard", "a file name");
  clip.row = object.integer("row", 0, 1 << 20);
  clip.frames = object.integer("frames", 1, kMostFrames);
  clip.width = object.integer("width", kLeastSide, kMostSide);
  clip.height = object.integer("height", kLeastSide, kMostSide);
  clip.fps = object.number("fps", 1e-6, 1e6);
  clip.motion_score = object.number("motion_score", 0, 1e6);
  clip.motion_bucket_id = static_cast<int>(object.integer("motion_bucket_id", 0, 255));
  clip.motion = object.string("motion", "");
  clip.source = object.string("source", "");
  if (object.has("flow")) {
    const JsonObject flow = object.object("flow");
    clip.flow = {flow.number("x", -1e6, 1e6), flow.number("y", -1e6, 1e6),
                 flow.number("divergence", -1e6, 1e6)};
  }
  return clip;
}

std::shared_ptr<const weights::SafetensorsFile> open_shard(const fs::path& path) {
  try {
    return weights::SafetensorsFile::open(path);
  } catch (const Error& error) {
    throw Error(ErrorKind::usage, error.what(), "the dataset has to be made again");
  }
}

}  // namespace

void ClipCacheWriter::add(const Clip& clip) {
  Pending& pending = pending_[clip.frames.sizes().vec()];
  ClipInfo info;
  info.frames = clip.frames.size(0);
  info.height = clip.frames.size(1);
  info.width = clip.frames.size(2);
  info.fps = clip.fps;
  info.motion_score = clip.motion_score;
  info.motion_bucket_id = motion_bucket(clip.motion_score);
  info.motion = clip.motion;
  info.source = clip.source;
  info.flow = clip.flow;
  ++clips_;
  pending.frames.push_back(clip.frames);
  pending.infos.push_back(std::move(info));
  if (std::int64_t(pending.frames.size() + 1) * clip.frames.numel() > kShardBytes) flush(pending);
}

void ClipCacheWriter::flush(Pending& pending) {
  if (pending.frames.empty()) return;
  const std::string name = fmt::format("shard-{:05}.safetensors", shards_++);
  weights::save_safetensors(folder_.file(name), {{kFrames, at::stack(pending.frames)}});
  for (std::size_t row = 0; row < pending.infos.size(); ++row) {
    pending.infos[row].shard = name;
    pending.infos[row].row = static_cast<std::int64_t>(row);
    lines_.push_back(line_of(pending.infos[row]));
  }
  pending = {};
}

void ClipCacheWriter::finish() {
  for (auto& [shape, pending] : pending_) flush(pending);
  std::string text;
  for (const std::string& line : lines_) text += line + "\n";
  write_text_file(folder_.file(kIndex), text, false);
  folder_.keep();
}

ClipCache::ClipCache(fs::path folder) : folder_(std::move(folder)) {
  const std::string index = (folder_ / kIndex).string();
  std::ifstream in(index);
  if (!in)
    throw Error(ErrorKind::usage, fmt::format("{}: no such file", index),
                "svd-gen synth and svd-gen dataset make datasets");
  weights::Fingerprint fingerprint;
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    fingerprint.add(line);
    const std::string source = fmt::format("{} line {}", index, number);
    ClipInfo clip = parse_line(line, source);
    if (!shards_.contains(clip.shard)) {
      const auto file = open_shard(folder_ / clip.shard);
      const weights::TensorInfo* info = file->find(kFrames);
      if (info == nullptr || info->dtype != "U8" || info->shape.size() != 5)
        throw Error(ErrorKind::usage, fmt::format("{}: {} holds no frames", source, clip.shard));
      shards_[clip.shard] = file->tensor(*info);
    }
    const std::vector<std::int64_t> expected = {clip.frames, clip.height, clip.width, 3};
    const at::Tensor& shard = shards_[clip.shard];
    if (clip.row >= shard.size(0) || shard.sizes().slice(1).vec() != expected)
      throw Error(ErrorKind::usage, fmt::format("{}: {} has no such clip, it holds [{}]", source,
                                                clip.shard, fmt::join(shard.sizes(), ", ")));
    clips_.push_back(std::move(clip));
  }
  if (clips_.empty()) throw Error(ErrorKind::usage, fmt::format("{}: no clips", index));
  id_ = fingerprint.hex();
}

at::Tensor ClipCache::frames(const ClipInfo& clip) const {
  return shards_.at(clip.shard)[clip.row];
}

}  // namespace svd::training
