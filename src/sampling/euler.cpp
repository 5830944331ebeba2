#include "sampling/euler.h"

#include <ATen/TensorOperators.h>

namespace svd::sampling {

Tensor sample_euler(const Denoiser& denoise, Tensor x, std::span<const double> sigmas,
                    const StepHook& on_step, std::stop_token stop) {
  for (std::size_t i = 0; i + 1 < sigmas.size() && !stop.stop_requested(); ++i) {
    const Tensor x0 = denoise(x, sigmas[i]);
    const Tensor d = (x - x0) / sigmas[i];
    x = x + d * (sigmas[i + 1] - sigmas[i]);
    on_step(static_cast<int>(i) + 1, x, x0);
  }
  return x;
}

}  // namespace svd::sampling
