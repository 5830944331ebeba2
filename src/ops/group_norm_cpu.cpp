#include "ops/group_norm_cpu.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

namespace svd::ops {
namespace {

using at::Tensor;

// Loops are compiled for several instruction sets, chosen when the program starts; without fused
// multiply-add, so that all of them give the same bits.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define SVD_CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define SVD_CLONES
#endif

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
  std::int64_t offset_of(std::int64_t block) const {
    return (block / per_picture * rows + block % per_picture * block_rows) * channels;
  }

  std::int64_t pictures, rows, channels, block_rows, per_picture;
};

// bfloat16 as its bits, converted without branches, which compilers can vectorise.
using Bits = std::uint16_t;

float widen(float v) { return v; }
float widen(Bits v) { return std::bit_cast<float>(static_cast<std::uint32_t>(v) << 16); }

template <class T>
T narrow(float v);
template <>
float narrow<float>(float v) {
  return v;
}
template <>
Bits narrow<Bits>(float v) {
  const auto bits = std::bit_cast<std::uint32_t>(v);
  const std::uint32_t nearest = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  const bool is_nan = (bits & 0x7fffffff) > 0x7f800000;
  return static_cast<Bits>(is_nan ? 0x7fc0 : nearest);
}

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

// y = (x - mean) * scale + shift, all three by channel.
template <class T>
[[gnu::always_inline]] inline void normalize_of(const T* __restrict__ x,
                                                const float* __restrict__ mean,
                                                const float* __restrict__ scale,
                                                const float* __restrict__ shift, T* __restrict__ y,
                                                std::int64_t rows, std::int64_t channels) {
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const std::int64_t at = row * channels + c;
      y[at] = narrow<T>((widen(x[at]) - mean[c]) * scale[c] + shift[c]);
    }
  }
}

SVD_CLONES void normalize(const float* x, const float* mean, const float* scale, const float* shift,
                          float* y, std::int64_t rows, std::int64_t channels) {
  normalize_of(x, mean, scale, shift, y, rows, channels);
}

SVD_CLONES void normalize(const Bits* x, const float* mean, const float* scale, const float* shift,
                          Bits* y, std::int64_t rows, std::int64_t channels) {
  normalize_of(x, mean, scale, shift, y, rows, channels);
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

template <class T>
void normalize_block(const T* x, const Statistics* statistics, const T* weight, const T* bias, T* y,
                     std::int64_t rows, std::int64_t channels, std::int64_t width) {
  std::vector<float> mean(channels);
  std::vector<float> scale(channels);
  std::vector<float> shift(channels);
  for (std::int64_t c = 0; c < channels; ++c) {
    mean[c] = statistics[c / width].mean;
    scale[c] = statistics[c / width].scale * widen(weight[c]);
    shift[c] = widen(bias[c]);
  }
  normalize(x, mean.data(), scale.data(), shift.data(), y, rows, channels);
}

template <class T>
void run(const T* x, const T* weight, const T* bias, T* y, const Blocks& blocks,
         std::int64_t groups, double eps) {
  const std::int64_t channels = blocks.channels;
  const std::int64_t width = channels / groups;
  const std::int64_t count = blocks.pictures * blocks.per_picture;
  std::vector<float> means(count * channels);
  std::vector<float> squares(count * channels);
  std::vector<Statistics> statistics(blocks.pictures * groups);

  at::parallel_for(0, count, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t block = begin; block < end; ++block) {
      block_moments(x + blocks.offset_of(block), blocks.rows_of(block), channels,
                    means.data() + block * channels, squares.data() + block * channels);
    }
  });
  at::parallel_for(0, blocks.pictures * groups, groups, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      statistics[i] = group_statistics(blocks, means.data(), squares.data(), i / groups,
                                       i % groups * width, width, eps);
    }
  });
  at::parallel_for(0, count, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t block = begin; block < end; ++block) {
      const std::int64_t offset = blocks.offset_of(block);
      normalize_block(x + offset, statistics.data() + block / blocks.per_picture * groups, weight,
                      bias, y + offset, blocks.rows_of(block), channels, width);
    }
  });
}

}  // namespace

Tensor group_norm_cpu(const Tensor& input, std::int64_t groups, const Tensor& weight,
                      const Tensor& bias, double eps) {
  if (input.scalar_type() == at::kHalf) {
    // Few CPUs compute in float16, so few people run it here: no version of its own.
    return group_norm_cpu(input.to(at::kFloat), groups, weight.to(at::kFloat), bias.to(at::kFloat),
                          eps)
        .to(at::kHalf);
  }
  const Tensor x = input.contiguous(at::MemoryFormat::ChannelsLast);
  Tensor y = at::empty(x.sizes(), x.options(), at::MemoryFormat::ChannelsLast);
  if (x.numel() == 0) {
    return y;
  }
  const Tensor w = weight.contiguous();
  const Tensor b = bias.contiguous();
  const Blocks blocks(x.size(0), x.size(2) * x.size(3), x.size(1));
  const auto run_as = [&]<class T>(T) {
    run(static_cast<const T*>(x.const_data_ptr()), static_cast<const T*>(w.const_data_ptr()),
        static_cast<const T*>(b.const_data_ptr()), static_cast<T*>(y.mutable_data_ptr()), blocks,
        groups, eps);
  };
  if (x.scalar_type() == at::kFloat) {
    run_as(float());
  } else {
    run_as(Bits());
  }
  return y;
}

}  // namespace svd::ops
