#include "ops/temporal_attention_cpu.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/clones.h"

namespace svd::ops {
namespace {

using at::Tensor;

constexpr std::int64_t kLanes = 16;
constexpr std::int64_t kMostFrames = 64;
constexpr std::int64_t kMostDepth = 128;

// One head at one position; rows are frames, `*_stride` elements apart.
template <class T>
struct Head {
  const T* q;
  const T* k;
  const T* v;
  T* out;
  std::int64_t frames, depth;
  std::int64_t q_stride, k_stride, v_stride, out_stride;
};

// Rows in float32, [frames][depth] each.
struct Scratch {
  std::vector<float> q = std::vector<float>(kMostFrames * kMostDepth);
  std::vector<float> k = std::vector<float>(kMostFrames * kMostDepth);
  std::vector<float> v = std::vector<float>(kMostFrames * kMostDepth);
};

template <class T>
[[gnu::always_inline]] inline void widen_rows(const T* x, std::int64_t stride, std::int64_t frames,
                                              std::int64_t depth, float* out) {
  for (std::int64_t f = 0; f < frames; ++f) {
    for (std::int64_t d = 0; d < depth; ++d) out[f * depth + d] = widen(x[f * stride + d]);
  }
}

// 16 partial sums, so that the order of additions does not depend on the width of a register.
[[gnu::always_inline]] inline float dot(const float* a, const float* b, std::int64_t depth) {
  float partial[kLanes] = {};
  for (std::int64_t d = 0; d < depth; d += kLanes) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      partial[lane] += a[d + lane] * b[d + lane];
    }
  }
  for (std::int64_t half = kLanes / 2; half > 0; half /= 2) {
    for (std::int64_t lane = 0; lane < half; ++lane) partial[lane] += partial[lane + half];
  }
  return partial[0];
}

template <class T>
[[gnu::always_inline]] inline void attend_of(const Head<T>& head, float* q, float* k, float* v) {
  const std::int64_t frames = head.frames, depth = head.depth;
  widen_rows(head.q, head.q_stride, frames, depth, q);
  widen_rows(head.k, head.k_stride, frames, depth, k);
  widen_rows(head.v, head.v_stride, frames, depth, v);
  const float scale = 1 / std::sqrt(static_cast<float>(depth));
  for (std::int64_t i = 0; i < frames; ++i) {
    float weights[kMostFrames];
    float highest = -INFINITY;
    for (std::int64_t j = 0; j < frames; ++j) {
      weights[j] = dot(q + i * depth, k + j * depth, depth) * scale;
      highest = std::max(highest, weights[j]);
    }
    for (std::int64_t j = 0; j < frames; ++j) weights[j] = exp_of(weights[j] - highest);
    float sum = 0;
    for (std::int64_t j = 0; j < frames; ++j) sum += weights[j];
    const float share = 1 / sum;
    float result[kMostDepth] = {};
    for (std::int64_t j = 0; j < frames; ++j) {
      const float weight = weights[j] * share;
      for (std::int64_t d = 0; d < depth; ++d) result[d] += weight * v[j * depth + d];
    }
    T* const out = head.out + i * head.out_stride;
    for (std::int64_t d = 0; d < depth; ++d) out[d] = narrow<T>(result[d]);
  }
}

SVD_CLONES void attend(const Head<float>& head, float* q, float* k, float* v) {
  attend_of(head, q, k, v);
}
SVD_CLONES void attend(const Head<Bits>& head, float* q, float* k, float* v) {
  attend_of(head, q, k, v);
}

template <class T>
void run(const Tensor& q, const Tensor& k, const Tensor& v, Tensor& out) {
  const std::int64_t positions = q.size(2), heads = q.size(3), depth = q.size(4);
  const auto at = [](const Tensor& x, std::int64_t b, std::int64_t position, std::int64_t head) {
    return static_cast<const T*>(x.const_data_ptr()) + b * x.stride(0) + position * x.stride(2) +
           head * x.stride(3);
  };
  T* const result = static_cast<T*>(out.mutable_data_ptr());
  constexpr std::int64_t kPositionsAtLeast = 16;
  at::parallel_for(
      0, q.size(0) * positions, kPositionsAtLeast, [&](std::int64_t begin, std::int64_t end) {
        Scratch scratch;
        for (std::int64_t i = begin; i < end; ++i) {
          const std::int64_t b = i / positions, position = i % positions;
          for (std::int64_t head = 0; head < heads; ++head) {
            const Head<T> job = {
                .q = at(q, b, position, head),
                .k = at(k, b, position, head),
                .v = at(v, b, position, head),
                .out = result + b * out.stride(0) + position * out.stride(2) + head * depth,
                .frames = q.size(1),
                .depth = depth,
                .q_stride = q.stride(1),
                .k_stride = k.stride(1),
                .v_stride = v.stride(1),
                .out_stride = out.stride(1)};
            attend(job, scratch.q.data(), scratch.k.data(), scratch.v.data());
          }
        }
      });
}

}  // namespace

bool can_run_temporal_attention_cpu(const Tensor& q, const Tensor& k, const Tensor& v) {
  const auto type = q.scalar_type();
  return q.device().is_cpu() && (type == at::kFloat || type == at::kBFloat16) &&
         q.size(1) <= kMostFrames && q.size(4) % kLanes == 0 && q.size(4) <= kMostDepth &&
         q.stride(4) == 1 && k.stride(4) == 1 && v.stride(4) == 1;
}

Tensor temporal_attention_cpu(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor out = at::empty({q.size(0), q.size(1), q.size(2), q.size(3) * q.size(4)}, q.options());
  if (q.scalar_type() == at::kFloat) {
    run<float>(q, k, v, out);
  } else {
    run<Bits>(q, k, v, out);
  }
  return out;
}

}  // namespace svd::ops
