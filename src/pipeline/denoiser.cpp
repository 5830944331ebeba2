#include "pipeline/denoiser.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/lerp.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>
#include <c10/util/Exception.h>

#include <algorithm>

#include "nn/layout.h"
#include "pipeline/profile.h"
#include "sampling/schedule.h"

namespace svd::pipeline {
namespace {

// [1, ...] -> [2, ...]: zeros, then x; without guidance x alone.
Tensor branches(const Tensor& x, const DenoiserOptions& options) {
  return is_guided(options.guidance) ? at::cat({at::zeros_like(x), x}, 0) : x;
}

// [steps, 3]: c_skip, c_out and c_in, float32.
Tensor preconditioning(const DenoiserOptions& options) {
  std::vector<double> rows;
  for (std::size_t i = 0; i + 1 < options.sigmas.size(); ++i) {
    const auto [c_skip, c_out, c_in, c_noise] = sampling::precondition(options.sigmas[i]);
    rows.insert(rows.end(), {c_skip, c_out, c_in});
  }
  return at::tensor(rows, at::kDouble).to(at::kFloat).view({-1, 3}).to(options.device);
}

}  // namespace

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

GuidedStep guided_step(const networks::UNetSpatioTemporalConditionModel& unet,
                       const networks::ClipContext& context, const Tensor& image_latents,
                       const DenoiserOptions& options, const nn::BeforeUnit& before) {
  const Tensor pictures =
      branches(image_latents, options).to(options.device, options.dtype);  // [B, 4, h, w]
  const bool is_parted = unet.conv_in().is_parted();
  const Tensor of_pictures =  // [B, C, h, w]
      is_parted ? unet.conv_in().of_picture(nn::channels_last(pictures)) : Tensor();
  const Tensor scale =
      at::tensor(options.guidance, at::kFloat).view({1, -1, 1, 1, 1}).to(options.device);

  // [B, F, C, h, w] of branches [first, first + count).
  const auto embed = [=, &unet](const Tensor& noisy, std::int64_t first, std::int64_t count) {
    if (is_parted) {
      const Tensor of_noise = unet.conv_in().of_noise(nn::channels_last(noisy[0]));  // [F, C, h, w]
      return of_noise.unsqueeze(0) + of_pictures.narrow(0, first, count).unsqueeze(1);
    }
    const auto expand = [&](const Tensor& x) {
      return x.expand({count, context.frames, -1, -1, -1});
    };
    const Tensor all = pictures.narrow(0, first, count).unsqueeze(1);
    return unet.embed(at::cat({expand(noisy), expand(all)}, 2));
  };

  const Tensor coefficients = preconditioning(options);
  const bool apart = is_guided(options.guidance) && options.sequential;
  const networks::ClipContext first_clip = apart ? context.clip(0) : networks::ClipContext{};
  const networks::ClipContext second_clip = apart ? context.clip(1) : networks::ClipContext{};

  return [=, &unet](const Tensor& x, const Tensor& step) {
    const std::vector<Tensor> of_step = coefficients.index_select(0, step)[0].unbind();
    const Tensor &c_skip = of_step[0], &c_out = of_step[1], &c_in = of_step[2];
    const Tensor noisy = (x * c_in).to(options.dtype);  // [1, F, 4, h, w]

    const auto features = [&](const networks::ClipContext& of, std::int64_t first,
                              std::int64_t count) {
      return unet.features(embed(noisy, first, count), of, before);
    };
    const auto denoised = [&](const Tensor& output) {
      return output.to(at::kFloat) * c_out + x * c_skip;
    };
    if (!is_guided(options.guidance))
      return denoised(unet.project(features(context.at(step), 0, 1)));

    Tensor unconditional, conditional;
    if (apart) {
      unconditional = features(first_clip.at(step), 0, 1);
      conditional = features(second_clip.at(step), 1, 1);
    } else {
      const Tensor both = features(context.at(step), 0, 2);
      unconditional = both.narrow(0, 0, 1);
      conditional = both.narrow(0, 1, 1);
    }
    const auto guided = [&](const Tensor& u, const Tensor& c) {
      return at::lerp(u.to(at::kFloat), c.to(at::kFloat), scale);
    };
    if (unet.guides_features())
      return denoised(unet.project(guided(unconditional, conditional).to(options.dtype)));
    return denoised(guided(unet.project(unconditional), unet.project(conditional)));
  };
}

sampling::Denoiser as_denoiser(const GuidedStep& step, const DenoiserOptions& options) {
  return [step, sigmas = options.sigmas](const Tensor& x, double sigma) {
    const auto found = std::find(sigmas.begin(), sigmas.end(), sigma);
    TORCH_CHECK(found != sigmas.end(), "sigma ", sigma, " is not part of the schedule");
    return step(x, at::full({1}, found - sigmas.begin(), x.options().dtype(at::kLong)));
  };
}

}  // namespace svd::pipeline
