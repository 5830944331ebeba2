#include "pipeline/memory_model.h"

#include <algorithm>
#include <vector>

#include "nn/parts.h"
#include "ops/cpu_features.h"
#include "ops/packed.h"

namespace svd::pipeline {
namespace {

/// The fullest moment of a computation.
class Peak {
 public:
  void hold(std::int64_t bytes) { held_ += bytes; }
  void drop(std::int64_t bytes) { held_ -= bytes; }
  /// For a moment, beside what is held.
  void use(std::int64_t bytes) { most_ = std::max(most_, held_ + bytes); }
  std::int64_t most() const { return most_; }

 private:
  std::int64_t held_ = 0;
  std::int64_t most_ = 0;
};

std::int64_t size_of(at::ScalarType dtype) {
  return static_cast<std::int64_t>(c10::elementSize(dtype));
}

/// Tensors [pictures, channels, h, w] of a network whose levels halve height and width.
class Sizes {
 public:
  Sizes(std::int64_t pictures, std::int64_t height, std::int64_t width, at::ScalarType dtype)
      : pictures_(pictures), height_(height), width_(width), element_(size_of(dtype)) {}

  /// `level` counts halvings, negative ones are doublings.
  std::int64_t operator()(std::int64_t channels, int level) const {
    const auto scaled = [level](std::int64_t n) {
      return level >= 0 ? std::max<std::int64_t>(1, n >> level) : n << -level;
    };
    return pictures_ * channels * scaled(height_) * scaled(width_) * element_;
  }

 private:
  std::int64_t pictures_, height_, width_, element_;
};

// Where the CPU's library lacks convolutions of this type, libtorch's own write out all operands of
// a product: so many times its input is there for a 3x3 kernel.
std::int64_t columns_of(const c10::Device& device, at::ScalarType dtype) {
  return device.is_cpu() && !ops::can_pack(device, dtype) ? 9 : 0;
}

// Result, normalised copy and the convolution between them, in either branch of a res block; with a
// shortcut its two products. Inputs are held by the caller. `columns`: of `columns_of`.
std::int64_t res_block(std::int64_t in, std::int64_t out, bool has_shortcut, std::int64_t columns) {
  const std::int64_t first = in + out + columns * in;
  const std::int64_t second = (has_shortcut ? 4 : 2) * out + columns * out;
  return std::max({first, second, 3 * out});
}

// Beside the block's input: tokens, the temporal block's own, a normalised copy, query, key and
// value, and what attention makes of them; or the hidden layer of a feed-forward in one piece.
// Where oneDNN emulates bfloat16, a linear layer sums in float32 beside its result, and the fullest
// moment comes before attention: twice the size of query, key and value.
std::int64_t transformer(std::int64_t tokens, const c10::Device& device, at::ScalarType dtype) {
  if (!ops::can_pack(device, dtype)) return 17 * tokens;
  const bool emulated = dtype == at::kBFloat16 && !ops::has_avx512_bfloat16();
  return (emulated ? 3 + 3 + 2 * 3 : 3 + 3 + 1) * tokens;
}

// Four phases, then their places in the result.
std::int64_t upsampled(std::int64_t out) { return 2 * out + out / 8; }

/// The VAE's blocks.
class VaePeak : public Peak {
 public:
  enum class Temporal { none, whole, in_parts };

  VaePeak(Temporal temporal, std::int64_t pictures, const nn::PartLimits& limits,
          std::int64_t columns)
      : temporal_(temporal), pictures_(pictures), limits_(limits), columns_(columns) {}

  /// From what is held, `in`, to `out`, which is held afterwards. `enlarged`: `in` at the block's
  /// own size, if it has to be brought there first.
  void res(std::int64_t in, std::int64_t out, std::int64_t enlarged = 0) {
    const std::int64_t widest = std::max(in, enlarged);
    if (pictures_ > 1 && goes_in_parts(widest)) {
      const bool in_place = enlarged == 0 && in == out;
      use((in_place ? 0 : out) + (3 + columns_) * of_pictures(widest) + of_pictures(widest) / 4);
    } else if (enlarged > 0) {
      use(std::max(upsampled(enlarged), enlarged + res_block(enlarged, out, in != out, columns_)));
    } else {
      use(res_block(in, out, in != out, columns_));
    }
    drop(in);
    hold(out);
    const std::int64_t mixing = 3 + columns_ / 3;  // 3x1 kernels
    if (temporal_ == Temporal::whole) use(mixing * out);
    if (temporal_ == Temporal::in_parts)
      use((limits_.recompute ? 0 : out) + mixing * std::min(out, limits_.part_bytes));
  }

  // The normalised copy, query, key, value and what is made of them.
  void attention(std::int64_t x) {
    use(pictures_ > 1 && goes_in_parts(4 * x) ? x + 2 * of_pictures(4 * x) : 6 * x);
  }

  void last(std::int64_t x, std::int64_t pixels) {
    const bool in_parts = pictures_ > 1 && goes_in_parts(x);
    use(pixels + (in_parts ? (2 + columns_) * of_pictures(x) : (1 + columns_) * x));
    drop(x);
    use(4 * pixels);  // as float32, clamped, in levels
  }

 private:
  bool goes_in_parts(std::int64_t bytes) const { return bytes > limits_.whole_bytes(); }

  // A tensor of one part, which has one picture at least.
  std::int64_t of_pictures(std::int64_t widest) const {
    return std::max(limits_.part_bytes, widest / pictures_);
  }

  Temporal temporal_;
  std::int64_t pictures_;
  nn::PartLimits limits_;
  std::int64_t columns_;
};

}  // namespace

WeightBytes weight_bytes(nn::Module& network, at::ScalarType dtype) {
  constexpr std::int64_t kStoredElement = 4;  // float32, the widest that is published
  WeightBytes bytes;
  for (const nn::Unit& unit : network.units()) {
    std::int64_t of_unit = 0;
    for (const nn::Parameter& parameter : unit.module->parameters()) {
      std::int64_t elements = 1;
      for (const std::int64_t size : parameter.shape) elements *= size;
      if (parameter.use != nn::Use::never)
        bytes.loading = std::max(bytes.loading, elements * (kStoredElement + 2 * size_of(dtype)));
      if (parameter.use == nn::Use::forward)
        of_unit += static_cast<std::int64_t>(unit.module->growth_when_folded() *
                                             static_cast<double>(elements * size_of(dtype)));
    }
    bytes.all += of_unit;
    if (unit.module->is_streamable())
      bytes.largest_unit = std::max(bytes.largest_unit, of_unit);
    else
      bytes.kept += of_unit;
  }
  return bytes;
}

std::int64_t unet_activations(const UNetConfig& config, const LatentShape& shape,
                              at::ScalarType dtype, const c10::Device& device) {
  const Sizes size(shape.clips * shape.frames, shape.height, shape.width, dtype);
  const std::int64_t columns = columns_of(device, dtype);
  const auto& channels = config.block_out_channels;
  const int levels = static_cast<int>(channels.size());
  const auto has_attention = [](const std::string& type) { return type.starts_with("CrossAttn"); };

  Peak peak;
  std::vector<std::int64_t> skips;
  const auto push = [&](std::int64_t bytes) {
    skips.push_back(bytes);
    peak.hold(bytes);
  };
  peak.hold(4 * size(config.in_channels, 0));  // the sample, in float32 and as it is put together
  push(size(channels[0], 0));
  for (int level = 0; level < levels; ++level) {
    const std::int64_t out = size(channels[level], level);
    std::int64_t in = size(channels[std::max(0, level - 1)], level);
    for (int i = 0; i < config.layers_per_block[level]; ++i, in = out) {
      peak.use(res_block(in, out, in != out, columns));
      if (has_attention(config.down_block_types[level]))
        peak.use(out + transformer(out, device, dtype));
      push(out);
    }
    if (level + 1 < levels) push(size(channels[level], level + 1));
  }
  const std::int64_t bottom = size(channels.back(), levels - 1);
  peak.use(bottom + transformer(bottom, device, dtype));

  std::int64_t x = bottom;
  peak.hold(x);
  for (int i = 0; i < levels; ++i) {
    const int level = levels - 1 - i;
    const std::int64_t out = size(channels[level], level);
    for (int layer = 0; layer < config.layers_per_block[level] + 1; ++layer) {
      const std::int64_t skip = skips.back();
      skips.pop_back();
      peak.use(res_block(x + skip, out, true, columns));  // the skip is still held
      peak.drop(x + skip);
      peak.hold(out);
      x = out;
      if (has_attention(config.up_block_types[i])) peak.use(transformer(out, device, dtype));
    }
    if (level > 0) {
      const std::int64_t enlarged = size(channels[level], level - 1);
      peak.use(upsampled(enlarged));
      peak.drop(x);
      peak.hold(enlarged);
      x = enlarged;
    }
  }
  peak.use(x);  // normalised
  return peak.most();
}

std::int64_t image_encoder_activations(const ClipVisionConfig& config, at::ScalarType dtype) {
  const std::int64_t side = config.image_size / config.patch_size;
  const std::int64_t tokens = 1 + side * side;
  // Input, its normalised copy, and query, key, value and result, or the hidden layer twice.
  const std::int64_t widths = std::max<std::int64_t>(
      6 * config.hidden_size, 2 * config.hidden_size + 2 * config.intermediate_size);
  const std::int64_t pixels = config.num_channels * config.image_size * config.image_size;
  return tokens * widths * size_of(dtype) + pixels * (size_of(at::kFloat) + size_of(dtype));
}

std::int64_t vae_encoder_activations(const VaeConfig& config, std::int64_t height,
                                     std::int64_t width, at::ScalarType dtype,
                                     const c10::Device& device) {
  const auto& channels = config.block_out_channels;
  const int levels = static_cast<int>(channels.size());
  const Sizes size(1, height << (levels - 1), width << (levels - 1), dtype);
  const Sizes size_32(1, height << (levels - 1), width << (levels - 1), at::kFloat);

  VaePeak peak(VaePeak::Temporal::none, 1, {}, columns_of(device, dtype));
  peak.hold(2 * size_32(config.in_channels, 0) + size(config.in_channels, 0));
  std::int64_t x = size(channels[0], 0);
  peak.hold(x);
  for (int level = 0; level < levels; ++level) {
    for (int i = 0; i < config.layers_per_block; ++i) {
      const std::int64_t out = size(channels[level], level);
      peak.res(x, out);
      x = out;
    }
    if (level + 1 == levels) break;
    const std::int64_t halved = size(channels[level], level + 1);
    peak.use(x + halved);  // padded first
    peak.drop(x);
    peak.hold(halved);
    x = halved;
  }
  peak.attention(x);
  return peak.most();
}

std::int64_t vae_decoder_activations(const VaeConfig& config, const LatentShape& shape,
                                     at::ScalarType dtype, const c10::Device& device,
                                     const nn::PartLimits& limits) {
  const Sizes size(shape.clips * shape.frames, shape.height, shape.width, dtype);
  const Sizes size_32(shape.clips * shape.frames, shape.height, shape.width, at::kFloat);
  const auto& channels = config.block_out_channels;
  const int levels = static_cast<int>(channels.size());

  const auto temporal = !config.temporal_decoder ? VaePeak::Temporal::none
                        : device.is_cpu()        ? VaePeak::Temporal::in_parts
                                                 : VaePeak::Temporal::whole;
  VaePeak peak(temporal, shape.clips * shape.frames, limits, columns_of(device, dtype));
  std::int64_t x = size(channels.back(), 0);
  peak.hold(x);
  peak.res(x, x);
  peak.attention(x);
  for (int i = 0; i < levels; ++i) {
    const std::int64_t enlarged = i == 0 ? 0 : 4 * x;
    for (int layer = 0; layer < config.layers_per_block + 1; ++layer) {
      const std::int64_t out = size(channels[levels - 1 - i], -i);
      peak.res(x, out, layer == 0 ? enlarged : 0);
      x = out;
    }
  }
  peak.last(x, size_32(config.out_channels, 1 - levels));
  return peak.most();
}

}  // namespace svd::pipeline
