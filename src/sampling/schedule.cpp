#include "sampling/schedule.h"

#include <cmath>

namespace svd::sampling {

std::vector<double> karras_sigmas(int steps, double sigma_min, double sigma_max, double rho) {
  const double from = std::pow(sigma_max, 1 / rho);
  const double to = std::pow(sigma_min, 1 / rho);
  std::vector<double> sigmas = {sigma_max};
  for (int i = 1; i < steps; ++i)
    sigmas.push_back(std::pow(from + double(i) / (steps - 1) * (to - from), rho));
  sigmas.push_back(0);
  return sigmas;
}

Preconditioning precondition(double sigma) {
  const double variance = sigma * sigma + 1;
  return {1 / variance, -sigma / std::sqrt(variance), 1 / std::sqrt(variance),
          0.25 * std::log(sigma)};
}

double initial_scale(double sigma_max) { return std::sqrt(1 + sigma_max * sigma_max); }

std::vector<float> linear_guidance(double min, double max, int frames) {
  std::vector<float> scales;
  for (int i = 0; i < frames; ++i)
    scales.push_back(static_cast<float>(frames == 1 ? min : min + (max - min) * i / (frames - 1)));
  return scales;
}

}  // namespace svd::sampling
