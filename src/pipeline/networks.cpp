#include "pipeline/networks.h"

#include <c10/core/MemoryFormat.h>
#include <c10/util/Exception.h>

#include "networks/clip/clip_vision_model.h"
#include "networks/unet/unet_spatio_temporal_condition.h"
#include "networks/vae/autoencoder.h"

namespace svd::pipeline {
namespace {

void append_expected(nn::Module& network, std::vector<ExpectedTensor>& expected) {
  for (nn::Parameter& parameter : network.parameters())
    expected.push_back({std::move(parameter.name), std::move(parameter.shape)});
}

// A kernel in channels-last memory under its declared shape; [O, I, 3, 1, 1] is run as [O, I, 3,
// 1].
at::Tensor channels_last_kernel(const at::Tensor& kernel) {
  constexpr auto format = at::MemoryFormat::ChannelsLast;
  return kernel.dim() == 5 ? kernel.squeeze(-1).contiguous(format).unsqueeze(-1)
                           : kernel.contiguous(format);
}

}  // namespace

std::vector<std::string> check_weights(const weights::Checkpoint& checkpoint) {
  const ModelConfig& config = checkpoint.config();
  std::vector<ExpectedTensor> unet, vae, clip;
  {
    networks::UNetSpatioTemporalConditionModel network(config.unet, {});
    append_expected(network, unet);
  }
  {
    networks::AutoencoderEncoder encoder(config.vae);
    append_expected(encoder, vae);
    append_expected(*networks::make_decoder(config.vae), vae);
  }
  {
    networks::ClipVisionModelWithProjection network(config.clip);
    append_expected(network, clip);
  }
  std::vector<std::string> lines = checkpoint.mismatches(weights::Part::unet, unet);
  for (std::string& line : checkpoint.mismatches(weights::Part::vae, vae))
    lines.push_back(std::move(line));
  for (std::string& line : checkpoint.mismatches(weights::Part::image_encoder, clip))
    lines.push_back(std::move(line));
  return lines;
}

void load_weights(nn::Module& network, const weights::Checkpoint& checkpoint, weights::Part part,
                  at::ScalarType dtype, const c10::Device& device,
                  const std::function<void()>& between) {
  for (const nn::Parameter& parameter : network.parameters()) {
    if (parameter.unread) continue;
    between();
    const at::Tensor stored = checkpoint.read(part, parameter.name, dtype);
    TORCH_CHECK(stored.sizes() == parameter.shape, parameter.name, ": expected shape ",
                at::IntArrayRef(parameter.shape), ", got ", stored.sizes());
    *parameter.tensor = (parameter.kernel ? channels_last_kernel(stored) : stored).to(device);
    if (!parameter.tensor->is_alias_of(stored)) checkpoint.release(part, parameter.name);
  }
  network.fold();
  for (const nn::Parameter& parameter : network.parameters()) {
    if (!parameter.tensor->defined() && !parameter.unread) checkpoint.release(part, parameter.name);
  }
}

void unload_weights(nn::Module& network, const weights::Checkpoint& checkpoint,
                    weights::Part part) {
  network.release();
  for (const nn::Parameter& parameter : network.parameters())
    checkpoint.release(part, parameter.name);
}

}  // namespace svd::pipeline
