#include "nn/chunks.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>

namespace svd::nn {
namespace {

// With these the four times wider hidden layer of a feed-forward stays in a cache of a few
// megabytes and products still run at full rate.
constexpr std::int64_t kRows = 2048;

}  // namespace

Tensor Chunk::of(const Tensor& tokens, std::int64_t all_frames) const {
  const Tensor whole_frames = tokens.narrow(0, clip * all_frames + first_frame, clips * frames);
  return whole_frames.narrow(1, first_position, positions);
}

Tensor Chunk::add_per_frame(const Tensor& x, const Tensor& embedding) const {
  const Tensor rows = embedding.narrow(0, first_frame, frames).unsqueeze(1);  // [frames, 1, C]
  if (is_one_clip()) return x + rows;
  return (x.unflatten(0, {clips, frames}) + rows).flatten(0, 1);
}

Tensor Chunk::add_per_clip(const Tensor& x, const Tensor& vectors) const {
  const Tensor rows = vectors.narrow(0, clip, clips);  // [clips, 1, C]
  if (is_one_clip()) return x + rows;
  return (x.unflatten(0, {clips, frames}) + rows.unsqueeze(1)).flatten(0, 1);
}

Tensor by_chunks(const Tensor& tokens, std::int64_t frames, bool chunked,
                 const std::function<Tensor(const Chunk&)>& compute) {
  const std::int64_t batch = tokens.size(0) / frames, positions = tokens.size(1);
  if (!chunked) return compute({batch, 0, frames, 0, positions, 0});
  const std::int64_t piece = std::min(positions, kRows);
  const std::int64_t together =
      positions < kRows ? std::max<std::int64_t>(1, kRows / positions) : 1;
  Tensor out = at::empty_like(tokens);
  for (std::int64_t clip = 0; clip < batch; ++clip) {
    for (std::int64_t frame = 0; frame < frames; frame += together) {
      for (std::int64_t position = 0; position < positions; position += piece) {
        const Chunk chunk{1,
                          clip,
                          std::min(together, frames - frame),
                          frame,
                          std::min(piece, positions - position),
                          position};
        chunk.of(out, frames).copy_(compute(chunk));
      }
    }
  }
  return out;
}

}  // namespace svd::nn
