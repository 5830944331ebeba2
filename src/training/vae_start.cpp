#include "training/vae_start.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <cmath>
#include <map>
#include <string>

namespace svd::training {
namespace {

using at::Tensor;
constexpr std::int64_t kColours = 3;
constexpr std::int64_t kGroups = 32;  // of every norm
constexpr double kReference = 4;      // R of the note
constexpr double kSignal = 0.25;      // deviation of the largest s
constexpr double kLogVariance = -6;   // of the latents' distribution, to begin with
constexpr double kWhitening = 0.5;    // 0: components keep their deviations, 1: all have one

/// Blocks of pixels in the order in which the downsampling convolutions sort them:
/// [n, 3 * factor^2], the innermost 2x2 square first.
Tensor blocks_of(Tensor pixels, int halvings) {
  for (int i = 0; i < halvings; ++i) {
    const std::int64_t n = pixels.size(0), c = pixels.size(1);
    const std::int64_t h = pixels.size(2) / 2, w = pixels.size(3) / 2;
    pixels =
        pixels.reshape({n, c, h, 2, w, 2}).permute({0, 3, 5, 1, 2, 4}).reshape({n, 4 * c, h, w});
  }
  return pixels.permute({0, 2, 3, 1}).reshape({-1, pixels.size(1)});
}

struct Components {
  Tensor rows;     ///< [count, 3 * factor^2]
  Tensor mean;     ///< [3 * factor^2]
  double largest;  ///< deviation
};

Components components_of(const Tensor& blocks, std::int64_t count) {
  const Tensor mean = blocks.mean(0);
  const Tensor centred = (blocks - mean).to(at::kDouble);
  const auto [values, vectors] =
      at::linalg_eigh(centred.t().matmul(centred) / double(blocks.size(0)));  // ascending
  const Tensor deviations =
      values.narrow(0, values.size(0) - count, count).flip(0).clamp_min(1e-6).sqrt();
  const Tensor scales = deviations.pow(-kWhitening);
  const Tensor rows =
      vectors.narrow(1, vectors.size(1) - count, count).flip(1).t() * scales.unsqueeze(1);
  return {rows.to(at::kFloat), mean, (deviations * scales).max().item<double>()};
}

}  // namespace

void start_with_principal_components(const std::vector<nn::Parameter>& parameters,
                                     const VaeConfig& config, const Tensor& pixels) {
  const auto& channels = config.block_out_channels;
  const int halvings = static_cast<int>(channels.size()) - 1;
  std::int64_t carried = kColours;
  for (int i = 0; i + 1 < halvings; ++i) {
    carried *= 4;
    if (carried > channels[std::size_t(i)]) return;
  }
  const std::int64_t latents = config.latent_channels, last = channels.back();
  const std::int64_t group = last / kGroups;
  if (halvings < 1 || group < 4 || latents * group > channels[std::size_t(halvings) - 1]) return;

  std::map<std::string, Tensor> weights;
  for (const nn::Parameter& parameter : parameters) weights[parameter.name] = *parameter.tensor;
  const auto take = [&](const std::string& name) { return weights.at("encoder." + name); };

  const Tensor first = take("conv_in.weight");
  first.narrow(0, 0, kColours).zero_();
  for (std::int64_t c = 0; c < kColours; ++c) first[c][c][1][1].fill_(1);
  for (int level = 1; level <= halvings; ++level) {  // where a res block changes the channels
    const std::string name =
        fmt::format("encoder.down_blocks.{}.resnets.0.conv_shortcut.weight", level);
    if (!weights.contains(name)) continue;
    std::int64_t count = kColours;
    for (int i = 0; i < level && i + 1 < halvings; ++i) count *= 4;
    const Tensor shortcut = weights.at(name);
    if (level == halvings) count = shortcut.size(1);
    shortcut.narrow(0, 0, count).zero_();
    for (std::int64_t c = 0; c < count; ++c) shortcut[c][c].fill_(1);
  }
  carried = kColours;
  for (int level = 0; level + 1 < halvings; ++level, carried *= 4) {
    const Tensor conv = take(fmt::format("down_blocks.{}.downsamplers.0.conv.weight", level));
    conv.narrow(0, 0, 4 * carried).zero_();
    for (std::int64_t tap = 0; tap < 4; ++tap)
      for (std::int64_t c = 0; c < carried; ++c)
        conv[tap * carried + c][c][tap / 2][tap % 2].fill_(1);
  }

  const Components components = components_of(blocks_of(pixels, halvings), latents);
  const double scale = kSignal / components.largest;
  const std::string name = fmt::format("down_blocks.{}.downsamplers.0.conv.", halvings - 1);
  const Tensor weight = take(name + "weight"), bias = take(name + "bias");
  const Tensor out = take("conv_out.weight"), log_variance = take("conv_out.bias");
  out.zero_();
  log_variance.narrow(0, latents, latents).fill_(kLogVariance);
  for (std::int64_t k = 0; k < latents; ++k) {
    const Tensor row = components.rows[k].view({4, carried}) * scale;
    const double offset = -(components.rows[k] * components.mean).sum().item<double>() * scale;
    weight.narrow(0, group * k, 4).zero_();
    for (std::int64_t tap = 0; tap < 4; ++tap) {
      const Tensor of_tap = weight.select(2, tap / 2).select(2, tap % 2);  // [out, in]
      of_tap[group * k].narrow(0, 0, carried).copy_(row[tap]);
      of_tap[group * k + 1].narrow(0, 0, carried).copy_(-row[tap]);
    }
    bias[group * k].fill_(offset);
    bias[group * k + 1].fill_(-offset);
    bias[group * k + 2].fill_(kReference);
    bias[group * k + 3].fill_(-kReference);
    const double gain = kReference / std::sqrt(2.0) / scale;
    out[k][group * k][1][1].fill_(gain);
    out[k][group * k + 1][1][1].fill_(-gain);
  }
  const Tensor quant = weights.at("quant_conv.weight");
  quant.zero_();
  for (std::int64_t k = 0; k < 2 * latents; ++k) quant[k][k].fill_(1);
}

}  // namespace svd::training
