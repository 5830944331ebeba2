#include "ops/group_norm_cpu.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <vector>

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
  std::int64_t offset_of(std::int64_t block) const {
    return (block / per_picture * rows + block % per_picture * block_rows) * channels;
  }

  std::int64_t pictures, rows, channels, block_rows, per_picture;
};

// Mean and sum of squared deviations of every channel over the rows of a block.
template <class T>
void block_moments(const T* x, std::int64_t rows, std::int64_t channels, float* mean,
                   float* squares) {
  std::fill_n(mean, channels, 0.f);
  std::fill_n(squares, channels, 0.f);
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t c = 0; c < channels; ++c) {
      mean[c] += static_cast<float>(x[row * channels + c]);
    }
  }
  const float share = 1 / static_cast<float>(rows);
  for (std::int64_t c = 0; c < channels; ++c) {
    mean[c] *= share;
  }
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const float deviation = static_cast<float>(x[row * channels + c]) - mean[c];
      squares[c] += deviation * deviation;
    }
  }
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
    scale[c] = statistics[c / width].scale * static_cast<float>(weight[c]);
    shift[c] = static_cast<float>(bias[c]);
  }
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const std::int64_t at = row * channels + c;
      y[at] = static_cast<T>((static_cast<float>(x[at]) - mean[c]) * scale[c] + shift[c]);
    }
  }
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
  const Tensor x = input.contiguous(at::MemoryFormat::ChannelsLast);
  Tensor y = at::empty(x.sizes(), x.options(), at::MemoryFormat::ChannelsLast);
  if (x.numel() == 0) {
    return y;
  }
  const Tensor w = weight.contiguous();
  const Tensor b = bias.contiguous();
  const Blocks blocks(x.size(0), x.size(2) * x.size(3), x.size(1));
  const auto run_as = [&]<class T>(T) {
    run(x.const_data_ptr<T>(), w.const_data_ptr<T>(), b.const_data_ptr<T>(),
        y.mutable_data_ptr<T>(), blocks, groups, eps);
  };
  switch (x.scalar_type()) {
    case at::kFloat:
      run_as(float());
      break;
    case at::kBFloat16:
      run_as(at::BFloat16());
      break;
    case at::kHalf:
      run_as(at::Half());
      break;
    default:
      TORCH_CHECK(false, "group_norm: no own version for ", x.scalar_type());
  }
  return y;
}

}  // namespace svd::ops
