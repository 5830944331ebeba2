#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

/// Launchers of the kernels: raw device pointers and a stream, no torch header (nvcc takes half a
/// minute for those). Nothing here synchronises or allocates, so all of it can be captured in a
/// graph.
namespace svd::cuda {

enum class Scalar { float32, bfloat16, float16 };

/// Result [pictures, rows, channels], which is channels-last [N, C, h, w] with rows = h * w. Its
/// last `second_channels` are those of a second source, the others those of the first.
struct GroupNormShape {
  std::int64_t pictures;
  std::int64_t rows;
  std::int64_t channels;         ///< of both sources
  std::int64_t groups;           ///< divides channels; a group may have channels of both sources
  std::int64_t second_channels;  ///< 0: one source
};

/// Scratch space that `group_norm` needs, aligned for float.
std::size_t group_norm_workspace_bytes(const GroupNormShape& shape, Scalar scalar);

/// y = (x - mean) / sqrt(variance + eps) * weight + bias with mean and variance over each picture's
/// group, then SiLU if `silu`; float32 inside. x: [pictures, rows, channels - second_channels] and
/// `second`: [pictures, rows, second_channels], contiguous each and read where they are; `second`
/// is null if there is one source. All are of type `scalar`. Every size is positive. Results do not
/// depend on the device's number of processors.
cudaError_t group_norm(const void* x, const void* second, const void* weight, const void* bias,
                       void* y, void* workspace, const GroupNormShape& shape, double eps, bool silu,
                       Scalar scalar, cudaStream_t stream);

/// x: [rows, 2 * channels] = (value, gate), y: [rows, channels] = value * gelu(gate); float32
/// inside.
cudaError_t geglu(const void* x, void* y, std::int64_t rows, std::int64_t channels, Scalar scalar,
                  cudaStream_t stream);

/// Keys that attention over frames can have.
constexpr int kMostTemporalFrames = 64;

/// In elements.
struct TemporalStrides {
  std::int64_t clip, frame, position, head;
};

/// q, k, v: [clips, frames, positions, heads, depth], depth contiguous.
struct TemporalAttentionShape {
  std::int64_t clips, positions, heads;
  int frames, depth;
  TemporalStrides q, k, v;
};

/// Shared memory of a block; every device has 48 KiB.
std::size_t temporal_attention_shared_bytes(const TemporalAttentionShape& shape);

/// out: [clips, frames, positions, heads * depth], contiguous = softmax(q k^T / sqrt(depth)) v over
/// the frames; float32 inside. At most kMostTemporalFrames frames; every size is positive.
cudaError_t temporal_attention(const void* q, const void* k, const void* v, void* out,
                               const TemporalAttentionShape& shape, Scalar scalar,
                               cudaStream_t stream);

/// Channels that `add_layer_norm` takes at most: a row lies in a warp's registers.
constexpr std::int64_t kMostNormChannels = 1280;

struct AddLayerNormShape {
  std::int64_t rows, channels;
  std::int64_t rows_per_vector;  ///< so many neighbouring rows get the same vector
};

struct AddLayerNormData {
  const void* x;        ///< [rows, channels]
  const void* other;    ///< the same, or null
  const void* vectors;  ///< [rows / rows_per_vector, channels], or null
  const void* weight;   ///< [channels], as is bias
  const void* bias;
  void* sum;     ///< [rows, channels]: x + other + vector
  void* normed;  ///< the same: layer norm of sum
};

/// float32 inside; the sum is rounded once. Every size is positive.
cudaError_t add_layer_norm(const AddLayerNormData& data, const AddLayerNormShape& shape, double eps,
                           Scalar scalar, cudaStream_t stream);

/// y = x + from + share * (to - from), `count` numbers; float32 inside.
cudaError_t add_blend(const void* x, const void* from, const void* to, void* y, std::int64_t count,
                      double share, Scalar scalar, cudaStream_t stream);

}  // namespace svd::cuda
