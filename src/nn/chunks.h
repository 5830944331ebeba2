#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

namespace svd::nn {

using at::Tensor;

/// A part of tokens [B*F, h*w, C]: whole frames of one clip, or a piece of one frame, which are
/// adjacent in memory; or everything.
struct Chunk {
  std::int64_t clips;  ///< B, 1 in a part
  std::int64_t clip;   ///< first
  std::int64_t frames, first_frame;
  std::int64_t positions, first_position;

  /// Everything is treated as several clips even where it is one, so that one clip alone rounds
  /// like one of two.
  bool is_part = true;

  /// The part of tokens, of `all_frames` a clip: a view [clips*frames, positions, C].
  Tensor of(const Tensor& tokens, std::int64_t all_frames) const;

  /// The vectors that go to its pictures, [clips*frames, C]: of embedding [F, C] of each frame ...
  Tensor per_frame(const Tensor& embedding) const;

  /// ... and of vectors [B, 1, C] of each clip.
  Tensor per_clip(const Tensor& vectors) const;
};

/// Computes a function of tokens that treats every position by itself, part after part, so that
/// what it makes in between stays in the cache. `compute` gets a chunk and returns its result,
/// [frames, positions, C]. `chunked` false: all at once (differentiable). tokens: [B*F, h*w, C].
Tensor by_chunks(const Tensor& tokens, std::int64_t frames, bool chunked,
                 const std::function<Tensor(const Chunk&)>& compute);

}  // namespace svd::nn
