#pragma once

#include <vector>

namespace svd::sampling {

/// Karras' noise schedule (arXiv 2206.00364, equation 5) with a final 0: `steps` + 1 values from
/// sigma_max down. One step gives {sigma_max, 0}. Requires steps >= 1 and 0 < sigma_min <
/// sigma_max.
std::vector<double> karras_sigmas(int steps, double sigma_min, double sigma_max, double rho);

/// EDM preconditioning for v-prediction with sigma_data = 1, as SVD was trained
/// (arXiv 2311.15127, appendix D.2, equations 11 to 14):
/// x0 = c_skip * x + c_out * F(c_in * x; c_noise).
struct Preconditioning {
  double c_skip;
  double c_out;
  double c_in;
  double c_noise;
};
Preconditioning precondition(double sigma);

/// Standard deviation of the initial latents: sqrt(1 + sigma_max^2).
double initial_scale(double sigma_max);

/// Guidance scale of each frame, linear from the first to the last. One frame gets `min`.
std::vector<float> linear_guidance(double min, double max, int frames);

}  // namespace svd::sampling
