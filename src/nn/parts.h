#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

/// Note: [Parts]
/// A decoder's widest tensors have gigabytes. What treats every picture, or every position, by
/// itself is computed part after part, so that only its input and its result exist whole; what lies
/// between stays in the cache. Group norms over a clip need the statistics of all of it: those are
/// taken first, in a pass of their own. Values do not depend on the size of parts, as long as a
/// picture has a thousand positions: maths libraries may round products of fewer rows by how many
/// there are.
namespace svd::nn {

using at::Tensor;

/// Sizes that decide here and in nn/chunks.h, for the whole process. Memory plans and tests lower
/// them.
struct PartLimits {
  std::int64_t part_bytes = std::int64_t{48} << 20;                ///< about the size of a part
  std::int64_t whole_bytes() const { return part_bytes / 3 * 8; }  ///< up to here in one piece
  /// Tokens of a chunk: the four times wider hidden layer of a feed-forward stays in a cache of a
  /// few megabytes, and products still run at full rate.
  std::int64_t chunk_tokens = 2048;
  /// What lies between the two norms of a temporal block is computed twice instead of being kept.
  bool recompute = false;
  /// Statistics are taken over blocks of about this size, and parts are made of whole blocks.
  std::int64_t least_bytes = std::int64_t{3} << 20;
};
PartLimits& part_limits();

/// Whether a computation with tensors of this size is done in parts: large ones, without gradients.
bool goes_in_parts(std::int64_t bytes);

/// compute(part) for groups of pictures, the results put together; for a computation that treats
/// every picture [C, h, w] of x [N, C, h, w] by itself. `bytes`: size of the largest tensor in
/// between for all of x. `out`: where results of several parts are put, which may be x itself if
/// they have its shape; undefined: a new tensor.
Tensor by_pictures(const Tensor& x, std::int64_t bytes,
                   const std::function<Tensor(const Tensor&)>& compute, Tensor out = {});

/// body(first, count) for parts of `total` units of `unit_bytes` each; all parts but the last have
/// multiples of `block` units.
void for_parts(std::int64_t total, std::int64_t unit_bytes,
               const std::function<void(std::int64_t, std::int64_t)>& body, std::int64_t block = 1);

}  // namespace svd::nn
