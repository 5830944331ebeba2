#include "pipeline/denoiser.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>
#include <c10/util/Exception.h>

#include <algorithm>

#include "sampling/schedule.h"

namespace svd::pipeline {
namespace {

Tensor with_unconditional(const Tensor& x) { return at::cat({at::zeros_like(x), x}, 0); }

}  // namespace

sampling::Denoiser guided_denoiser(const networks::UNetSpatioTemporalConditionModel& unet,
                                   const Conditioning& conditioning, std::span<const double> sigmas,
                                   const std::vector<float>& guidance, at::ScalarType dtype,
                                   const c10::Device& device,
                                   const networks::BetweenBlocks& between) {
  const bool guided = std::any_of(guidance.begin(), guidance.end(), [](float s) { return s != 1; });
  const std::int64_t frames = static_cast<std::int64_t>(guidance.size());
  const std::int64_t batch = guided ? 2 : 1;

  std::vector<double> noise_levels;
  for (double sigma : sigmas.first(sigmas.size() - 1))
    noise_levels.push_back(sampling::precondition(sigma).c_noise);
  Tensor embeds = conditioning.image_embeds;
  Tensor image_latents = conditioning.image_latents;
  if (guided) {
    embeds = with_unconditional(embeds);
    image_latents = with_unconditional(image_latents);
  }
  const networks::ClipContext context =
      unet.prepare(embeds.to(device, dtype), conditioning.added_time_ids.to(device), frames,
                   at::tensor(noise_levels, at::kDouble).to(at::kFloat).to(device));
  image_latents = image_latents.unsqueeze(1).expand({-1, frames, -1, -1, -1}).to(device);
  const Tensor scale = at::tensor(guidance, at::kFloat).view({1, frames, 1, 1, 1}).to(device);

  return [=, &unet](const Tensor& x, double sigma) {
    const auto found = std::find(sigmas.begin(), sigmas.end(), sigma);
    TORCH_CHECK(found != sigmas.end(), "sigma ", sigma, " is not part of the schedule");
    const auto [c_skip, c_out, c_in, c_noise] = sampling::precondition(sigma);

    const Tensor scaled = (x * c_in).expand({batch, -1, -1, -1, -1});
    const Tensor input = at::cat({scaled, image_latents}, 2).to(dtype);  // [B, F, 8, h, w]
    Tensor output = unet.forward(input, found - sigmas.begin(), context, between).to(at::kFloat);
    if (guided) {
      const Tensor unconditional = output.narrow(0, 0, 1), conditional = output.narrow(0, 1, 1);
      output = unconditional + scale * (conditional - unconditional);
    }
    return output * c_out + x * c_skip;
  };
}

}  // namespace svd::pipeline
