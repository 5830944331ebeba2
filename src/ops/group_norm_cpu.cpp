#include "ops/group_norm_cpu.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/clones.h"
#include "ops/cpu_features.h"
#include "ops/group_norm_avx512.h"

namespace svd::ops {
namespace {

using at::Tensor;

// Pictures are matrices [rows, channels]; a block is a range of rows of one picture.
struct Blocks {
  Blocks(std::int64_t pictures_, std::int64_t rows_, std::int64_t channels_)
      : pictures(pictures_), rows(rows_), channels(channels_) {
    constexpr std::int64_t kBlockElements = 16384;
    block_rows = std::clamp<std::int64_t>(kBlockElements / channels, 1, rows);
    per_picture = (rows + block_rows - 1) / block_rows;
  }
  std::int64_t rows_of(std::int64_t block) const {
    return std::min(block_rows, rows - block % per_picture * block_rows);
  }
  std::int64_t first_row_of(std::int64_t block) const {
    return block / per_picture * rows + block % per_picture * block_rows;
  }

  std::int64_t pictures, rows, channels, block_rows, per_picture;
};

// Mean and sum of squared deviations of every channel over the rows of a block.
template <class T>
[[gnu::always_inline]] inline void block_moments_of(const T* __restrict__ x, std::int64_t rows,
                                                    std::int64_t channels, float* __restrict__ mean,
                                                    float* __restrict__ squares) {
  std::fill_n(mean, channels, 0.f);
  std::fill_n(squares, channels, 0.f);
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t c = 0; c < channels; ++c) {
      mean[c] += widen(x[row * channels + c]);
    }
  }
  const float share = 1 / static_cast<float>(rows);
  for (std::int64_t c = 0; c < channels; ++c) {
    mean[c] *= share;
  }
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const float deviation = widen(x[row * channels + c]) - mean[c];
      squares[c] += deviation * deviation;
    }
  }
}

SVD_CLONES void block_moments(const float* x, std::int64_t rows, std::int64_t channels, float* mean,
                              float* squares) {
  block_moments_of(x, rows, channels, mean, squares);
}

SVD_CLONES void block_moments(const Bits* x, std::int64_t rows, std::int64_t channels, float* mean,
                              float* squares) {
  block_moments_of(x, rows, channels, mean, squares);
}

// y = (x - mean) * scale + shift, all three by channel, then SiLU if asked for. x: [rows,
// channels]; rows of y are `stride` apart.
template <class T, bool silu>
[[gnu::always_inline]] inline void normalize_as(const T* __restrict__ x,
                                                const float* __restrict__ mean,
                                                const float* __restrict__ scale,
                                                const float* __restrict__ shift, T* __restrict__ y,
                                                std::int64_t rows, std::int64_t channels,
                                                std::int64_t stride) {
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const float v = (widen(x[row * channels + c]) - mean[c]) * scale[c] + shift[c];
      y[row * stride + c] = narrow<T>(silu ? v / (1 + exp_of(-v)) : v);
    }
  }
}

template <class T>
[[gnu::always_inline]] inline void normalize_of(const T* x, const float* mean, const float* scale,
                                                const float* shift, bool silu, T* y,
                                                std::int64_t rows, std::int64_t channels,
                                                std::int64_t stride) {
  if (silu) {
    normalize_as<T, true>(x, mean, scale, shift, y, rows, channels, stride);
  } else {
    normalize_as<T, false>(x, mean, scale, shift, y, rows, channels, stride);
  }
}

SVD_CLONES void normalize(const float* x, const float* mean, const float* scale, const float* shift,
                          bool silu, float* y, std::int64_t rows, std::int64_t channels,
                          std::int64_t stride) {
  normalize_of(x, mean, scale, shift, silu, y, rows, channels, stride);
}

SVD_CLONES void normalize_anywhere(const Bits* x, const float* mean, const float* scale,
                                   const float* shift, bool silu, Bits* y, std::int64_t rows,
                                   std::int64_t channels, std::int64_t stride) {
  normalize_of(x, mean, scale, shift, silu, y, rows, channels, stride);
}

void normalize(const Bits* x, const float* mean, const float* scale, const float* shift, bool silu,
               Bits* y, std::int64_t rows, std::int64_t channels, std::int64_t stride) {
  static const bool has_own_version = has_avx512_bfloat16();
  const auto run = has_own_version ? avx512::normalize : normalize_anywhere;
  run(x, mean, scale, shift, silu, y, rows, channels, stride);
}

struct Statistics {
  float mean;
  float scale;  // 1 / sqrt(variance + eps)
};

Statistics group_statistics(const Blocks& blocks, const float* means, const float* squares,
                            std::int64_t picture, std::int64_t first_channel, std::int64_t width,
                            double eps) {
  const std::int64_t first = picture * blocks.per_picture;
  const double count = static_cast<double>(blocks.rows * width);
  double sum = 0;
  for (std::int64_t block = first; block < first + blocks.per_picture; ++block) {
    const float* const mean = means + block * blocks.channels + first_channel;
    double block_sum = 0;
    for (std::int64_t c = 0; c < width; ++c) {
      block_sum += mean[c];
    }
    sum += block_sum * static_cast<double>(blocks.rows_of(block));
  }
  const double mean_of_group = sum / count;
  double deviations = 0;
  for (std::int64_t block = first; block < first + blocks.per_picture; ++block) {
    const std::int64_t at = block * blocks.channels + first_channel;
    const auto rows = static_cast<double>(blocks.rows_of(block));
    for (std::int64_t c = 0; c < width; ++c) {
      const double distance = means[at + c] - mean_of_group;
      deviations += squares[at + c] + rows * distance * distance;
    }
  }
  return {static_cast<float>(mean_of_group),
          static_cast<float>(1 / std::sqrt(deviations / count + eps))};
}

// Channels [first, first + channels) of the result, which come from one source.
template <class T>
struct Source {
  const T* x;
  std::int64_t first;
  std::int64_t channels;
};

template <class T>
const T* data_of(const Tensor& x) {
  return static_cast<const T*>(x.const_data_ptr());
}

template <class T>
std::vector<Source<T>> sources_of(const std::vector<Tensor>& tensors) {
  std::vector<Source<T>> sources;
  std::int64_t channels = 0;
  for (const Tensor& tensor : tensors) {
    sources.push_back({data_of<T>(tensor), channels, tensor.size(1)});
    channels += tensor.size(1);
  }
  return sources;
}

// [pictures, groups]
template <class T>
std::vector<Statistics> take_statistics(const std::vector<Source<T>>& sources, const Blocks& blocks,
                                        std::int64_t groups, double eps) {
  const std::int64_t channels = blocks.channels;
  const std::int64_t width = channels / groups;
  const std::int64_t count = blocks.pictures * blocks.per_picture;
  std::vector<float> means(count * channels);
  std::vector<float> squares(count * channels);
  std::vector<Statistics> statistics(blocks.pictures * groups);

  at::parallel_for(0, count, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t block = begin; block < end; ++block) {
      for (const Source<T>& source : sources) {
        block_moments(source.x + blocks.first_row_of(block) * source.channels,
                      blocks.rows_of(block), source.channels,
                      means.data() + block * channels + source.first,
                      squares.data() + block * channels + source.first);
      }
    }
  });
  at::parallel_for(0, blocks.pictures * groups, groups, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      statistics[i] = group_statistics(blocks, means.data(), squares.data(), i / groups,
                                       i % groups * width, width, eps);
    }
  });
  return statistics;
}

// What is subtracted and multiplied in one picture, by channel.
struct Affine {
  std::vector<float> mean, scale, shift;
};

template <class T>
Affine affine_of(const Statistics* statistics, std::int64_t groups, const T* weight, const T* bias,
                 std::int64_t channels) {
  Affine affine{std::vector<float>(channels), std::vector<float>(channels),
                std::vector<float>(channels)};
  for (std::int64_t c = 0; c < channels; ++c) {
    const Statistics& of_group = statistics[c / (channels / groups)];
    affine.mean[c] = of_group.mean;
    affine.scale[c] = of_group.scale * widen(weight[c]);
    affine.shift[c] = widen(bias[c]);
  }
  return affine;
}

template <class T>
void apply(const std::vector<Source<T>>& sources, const Blocks& blocks,
           const Statistics* statistics, std::int64_t groups, const Tensor& weight,
           const Tensor& bias, bool silu, Tensor& out) {
  const std::int64_t channels = blocks.channels;
  const auto y = static_cast<T*>(out.mutable_data_ptr());
  at::parallel_for(
      0, blocks.pictures * blocks.per_picture, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t block = begin; block < end; ++block) {
          const Affine affine = affine_of(statistics + block / blocks.per_picture * groups, groups,
                                          data_of<T>(weight), data_of<T>(bias), channels);
          const std::int64_t row = blocks.first_row_of(block);
          for (const Source<T>& source : sources) {
            normalize(source.x + row * source.channels, affine.mean.data() + source.first,
                      affine.scale.data() + source.first, affine.shift.data() + source.first, silu,
                      y + row * channels + source.first, blocks.rows_of(block), source.channels,
                      channels);
          }
        }
      });
}

Blocks blocks_of(const Tensor& x, std::int64_t channels) {
  return {x.size(0), x.size(2) * x.size(3), channels};
}

Tensor channels_last(const Tensor& x) { return x.contiguous(at::MemoryFormat::ChannelsLast); }

}  // namespace

Tensor group_norm_cpu(const Tensor& x, const Tensor& second, std::int64_t groups,
                      const Tensor& weight, const Tensor& bias, double eps, bool silu) {
  if (x.scalar_type() == at::kHalf) {
    // Few CPUs compute in float16, so few people run it here: no version of its own.
    const auto wide = [](const Tensor& t) { return t.defined() ? t.to(at::kFloat) : t; };
    return group_norm_cpu(wide(x), wide(second), groups, wide(weight), wide(bias), eps, silu)
        .to(at::kHalf);
  }
  std::vector<Tensor> tensors = {channels_last(x)};
  if (second.defined()) tensors.push_back(channels_last(second));
  std::vector<std::int64_t> sizes = x.sizes().vec();
  if (second.defined()) sizes[1] += second.size(1);
  Tensor y = at::empty(sizes, x.options(), at::MemoryFormat::ChannelsLast);
  if (y.numel() == 0) return y;
  const auto run_as = [&]<class T>(T) {
    const std::vector<Source<T>> sources = sources_of<T>(tensors);
    const Blocks blocks = blocks_of(y, y.size(1));
    const std::vector<Statistics> statistics = take_statistics(sources, blocks, groups, eps);
    apply(sources, blocks, statistics.data(), groups, weight.contiguous(), bias.contiguous(), silu,
          y);
  };
  x.scalar_type() == at::kFloat ? run_as(float()) : run_as(Bits());
  return y;
}

Tensor group_norm_statistics_cpu(const Tensor& x, std::int64_t groups, double eps) {
  const Tensor input = channels_last(x.scalar_type() == at::kHalf ? x.to(at::kFloat) : x);
  Tensor result = at::empty({x.size(0), groups, 2}, x.options().dtype(at::kFloat));
  if (x.numel() == 0) return result.zero_();
  const auto run_as = [&]<class T>(T) {
    const std::vector<Statistics> statistics =
        take_statistics(sources_of<T>({input}), blocks_of(input, input.size(1)), groups, eps);
    static_assert(sizeof(Statistics) == 2 * sizeof(float));
    std::copy(statistics.begin(), statistics.end(),
              reinterpret_cast<Statistics*>(result.mutable_data_ptr<float>()));
  };
  input.scalar_type() == at::kFloat ? run_as(float()) : run_as(Bits());
  return result;
}

Tensor normalize_cpu(const Tensor& x, const Tensor& statistics, const Tensor& weight,
                     const Tensor& bias, bool silu) {
  if (x.scalar_type() == at::kHalf) {
    return normalize_cpu(x.to(at::kFloat), statistics, weight.to(at::kFloat), bias.to(at::kFloat),
                         silu)
        .to(at::kHalf);
  }
  const Tensor input = channels_last(x);
  Tensor y = at::empty(x.sizes(), x.options(), at::MemoryFormat::ChannelsLast);
  if (y.numel() == 0) return y;
  const auto run_as = [&]<class T>(T) {
    apply(sources_of<T>({input}), blocks_of(input, input.size(1)),
          reinterpret_cast<const Statistics*>(statistics.const_data_ptr<float>()),
          statistics.size(1), weight.contiguous(), bias.contiguous(), silu, y);
  };
  x.scalar_type() == at::kFloat ? run_as(float()) : run_as(Bits());
  return y;
}

}  // namespace svd::ops
