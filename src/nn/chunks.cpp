#include "nn/chunks.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>
#include <c10/util/Exception.h>

#include <algorithm>

#include "nn/parts.h"

namespace svd::nn {
Tensor Chunk::of(const Tensor& tokens, std::int64_t all_frames) const {
  const Tensor whole_frames = tokens.narrow(0, clip * all_frames + first_frame, clips * frames);
  return whole_frames.narrow(1, first_position, positions);
}

Tensor Chunk::per_frame(const Tensor& embedding) const {
  return embedding.narrow(0, first_frame, frames).repeat({clips, 1});
}

Tensor Chunk::per_clip(const Tensor& vectors) const {
  return vectors.narrow(0, clip, clips).squeeze(1).repeat_interleave(frames, 0);
}

Tensor by_chunks(const Tensor& tokens, std::int64_t frames, bool chunked,
                 const std::function<Tensor(const Chunk&)>& compute) {
  const std::int64_t batch = tokens.size(0) / frames, positions = tokens.size(1);
  if (!chunked) return compute({batch, 0, frames, 0, positions, 0, false});
  TORCH_CHECK(positions > 0, "tokens of an empty picture");
  const std::int64_t limit = part_limits().chunk_tokens;
  const std::int64_t piece = std::min(positions, limit);
  const std::int64_t together = std::max<std::int64_t>(1, limit / positions);
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
