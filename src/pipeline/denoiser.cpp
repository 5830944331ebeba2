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

// [1, ...] -> [2, ...]: zeros, then x; without guidance x alone.
Tensor branches(const Tensor& x, const DenoiserOptions& options) {
  return options.is_guided() ? at::cat({at::zeros_like(x), x}, 0) : x;
}

}  // namespace

bool DenoiserOptions::is_guided() const {
  return std::any_of(guidance.begin(), guidance.end(), [](float scale) { return scale != 1; });
}

networks::ClipContext prepare_clip(const networks::UNetSpatioTemporalConditionModel& unet,
                                   const Conditioning& conditioning, const DenoiserOptions& options,
                                   const nn::BeforeUnit& before) {
  std::vector<double> noise_levels;
  for (std::size_t i = 0; i + 1 < options.sigmas.size(); ++i)
    noise_levels.push_back(sampling::precondition(options.sigmas[i]).c_noise);
  return unet.prepare(
      branches(conditioning.image_embeds, options).to(options.device, options.dtype),
      conditioning.added_time_ids.to(options.device),
      static_cast<std::int64_t>(options.guidance.size()),
      at::tensor(noise_levels, at::kDouble).to(at::kFloat).to(options.device), before);
}

sampling::Denoiser guided_denoiser(const networks::UNetSpatioTemporalConditionModel& unet,
                                   const networks::ClipContext& context,
                                   const Tensor& image_latents, const DenoiserOptions& options,
                                   const nn::BeforeUnit& before) {
  const Tensor pictures = branches(image_latents, options)
                              .unsqueeze(1)
                              .expand({-1, context.frames, -1, -1, -1})
                              .to(options.device);  // [B, F, 4, h, w]
  const Tensor scale =
      at::tensor(options.guidance, at::kFloat).view({1, -1, 1, 1, 1}).to(options.device);

  return [=, &unet](const Tensor& x, double sigma) {
    const auto found = std::find(options.sigmas.begin(), options.sigmas.end(), sigma);
    TORCH_CHECK(found != options.sigmas.end(), "sigma ", sigma, " is not part of the schedule");
    const std::int64_t step = found - options.sigmas.begin();
    const auto [c_skip, c_out, c_in, c_noise] = sampling::precondition(sigma);

    const Tensor scaled = (x * c_in).expand({pictures.size(0), -1, -1, -1, -1});
    const Tensor input = at::cat({scaled, pictures}, 2).to(options.dtype);  // [B, F, 8, h, w]
    const auto branch = [&](std::int64_t i) {
      return unet.forward(input.narrow(0, i, 1), step, context.clip(i), before).to(at::kFloat);
    };
    if (!options.is_guided()) return branch(0) * c_out + x * c_skip;

    Tensor unconditional, conditional;
    if (options.sequential) {
      unconditional = branch(0);
      conditional = branch(1);
    } else {
      const Tensor both = unet.forward(input, step, context, before).to(at::kFloat);
      unconditional = both.narrow(0, 0, 1);
      conditional = both.narrow(0, 1, 1);
    }
    return (unconditional + scale * (conditional - unconditional)) * c_out + x * c_skip;
  };
}

}  // namespace svd::pipeline
