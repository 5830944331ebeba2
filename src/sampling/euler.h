#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <span>
#include <stop_token>

namespace svd::sampling {

using at::Tensor;

/// All that a sampler knows of a model: the estimate x0 of the clean sample behind x at noise level
/// sigma. Same shape as x.
using Denoiser = std::function<Tensor(const Tensor& x, double sigma)>;

/// Called after step `step` (1 .. steps) with the new x and the x0 it came from.
using StepHook = std::function<void(int step, const Tensor& x, const Tensor& x0)>;

/// Euler's method on the probability flow ODE (arXiv 2206.00364, algorithm 1 with Heun's correction
/// left out, equal to algorithm 2 at S_churn = 0). x: at noise level sigmas[0]. Returns early, with
/// the x reached, when `stop` is requested.
Tensor sample_euler(const Denoiser& denoise, Tensor x, std::span<const double> sigmas,
                    const StepHook& on_step, std::stop_token stop);

}  // namespace svd::sampling
