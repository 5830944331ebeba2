#include "training/unet_start.h"

#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <cmath>
#include <map>
#include <string>

namespace svd::training {
namespace {

using at::Tensor;
constexpr std::int64_t kGroups = 32;  // of every norm
constexpr double kReference = 4;      // R of the note
constexpr double kSignal = 0.25;      // s of the note

}  // namespace

void start_with_the_picture(const std::vector<nn::Parameter>& parameters, const UNetConfig& config,
                            double scaling_factor) {
  const std::int64_t channels = config.block_out_channels.front();
  const std::int64_t latents = config.out_channels, group = channels / kGroups;
  if (group < 3 || latents > kGroups || config.in_channels != 2 * latents) return;

  std::map<std::string, Tensor> weights;
  for (const nn::Parameter& parameter : parameters) weights[parameter.name] = *parameter.tensor;
  const std::size_t last_block = config.block_out_channels.size() - 1;
  const Tensor in = weights.at("conv_in.weight"), in_bias = weights.at("conv_in.bias");
  const Tensor shortcut = weights.at(
      fmt::format("up_blocks.{}.resnets.{}.spatial_res_block.conv_shortcut.weight", last_block,
                  config.layers_per_block.front()));  // [channels, picture + skip, 1, 1]
  const std::int64_t skip = shortcut.size(1) - channels;
  const Tensor norm_bias = weights.at("conv_norm_out.bias");
  const Tensor out = weights.at("conv_out.weight");

  // Of a group: mean m R and deviation d R, where one of its channels is R and the others 0.
  const double mean = 1.0 / double(group), deviation = std::sqrt(mean - mean * mean);
  for (std::int64_t k = 0; k < latents; ++k) {
    const std::int64_t first = group * k;
    in.narrow(0, first, 3).zero_();
    shortcut.narrow(0, first, group).zero_();
    for (std::int64_t c = first; c < first + 3; ++c) shortcut[c][skip + c].fill_(1);
    in[first][latents + k][1][1].fill_(kSignal * scaling_factor);
    in[first + 1][latents + k][1][1].fill_(-kSignal * scaling_factor);
    in_bias[first + 2].fill_(kReference);
    norm_bias.narrow(0, first, 2).fill_(mean / deviation);
    const double gain = kReference * deviation / kSignal;
    out[k][first][1][1].fill_(-gain);
    out[k][first + 1][1][1].fill_(gain);
  }
}

}  // namespace svd::training
