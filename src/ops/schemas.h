#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <tuple>

/// The operations that have versions for several devices, as torch's dispatcher knows them: their
/// names and, in C++, the signatures of every version. src/ops and the CUDA module both register
/// through `add_version`, so that a version whose signature has fallen behind does not compile.
namespace svd::ops {

struct GroupNorm {
  static constexpr const char* kName = "group_norm";
  static constexpr const char* kSchema =
      "group_norm(Tensor x, Tensor? second, int groups, Tensor weight, Tensor bias, float eps, "
      "bool silu) -> Tensor";
  using Signature = at::Tensor(const at::Tensor&, const std::optional<at::Tensor>&, std::int64_t,
                               const at::Tensor&, const at::Tensor&, double, bool);
};

struct Geglu {
  static constexpr const char* kName = "geglu";
  static constexpr const char* kSchema = "geglu(Tensor x) -> Tensor";
  using Signature = at::Tensor(const at::Tensor&);
};

struct TemporalAttention {
  static constexpr const char* kName = "temporal_attention";
  static constexpr const char* kSchema =
      "temporal_attention(Tensor q, Tensor k, Tensor v) -> Tensor";
  using Signature = at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&);
};

struct AddLayerNorm {
  static constexpr const char* kName = "add_layer_norm";
  static constexpr const char* kSchema =
      "add_layer_norm(Tensor x, Tensor? other, Tensor? vectors, Tensor weight, Tensor bias, "
      "float eps) -> (Tensor, Tensor)";
  using Signature = std::tuple<at::Tensor, at::Tensor>(const at::Tensor&,
                                                       const std::optional<at::Tensor>&,
                                                       const std::optional<at::Tensor>&,
                                                       const at::Tensor&, const at::Tensor&,
                                                       double);
};

/// Channels that the CUDA version takes.
constexpr bool fits_add_layer_norm_cuda(std::int64_t channels) {
  return channels > 0 && channels <= 1280;
}

struct AddBlend {
  static constexpr const char* kName = "add_blend";
  static constexpr const char* kSchema =
      "add_blend(Tensor x, Tensor start, Tensor end, float share) -> Tensor";
  using Signature = at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&, double);
};

/// What the CUDA version of `TemporalAttention` takes: keys and values of a head, and a few
/// queries, have to fit into the 48 KiB of shared memory that every device has.
constexpr bool fits_temporal_attention_cuda(std::int64_t frames, std::int64_t depth) {
  constexpr std::int64_t kMostFrames = 64, kQueries = 4, kFloats = 48 * 1024 / 4;
  return frames <= kMostFrames && (2 * frames + kQueries) * depth + frames <= kFloats;
}

/// Registers `function` as a version of `Operation`. `library`: a torch::Library.
template <class Operation, class Library>
void add_version(Library& library, typename Operation::Signature* function) {
  library.impl(Operation::kName, function);
}

}  // namespace svd::ops
