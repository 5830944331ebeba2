#include "sampling/euler.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include <cmath>

#include "sampling/schedule.h"

namespace svd::sampling {
namespace {

// Data from N(0, s^2) have a closed form: x0 = x * s^2 / (s^2 + sigma^2), and the flow keeps
// x / sqrt(s^2 + sigma^2) constant.
constexpr double kVariance = 0.25;

Tensor gaussian_denoiser(const Tensor& x, double sigma) {
  return x * (kVariance / (kVariance + sigma * sigma));
}

double error_after(int steps) {
  const std::vector<double> sigmas = karras_sigmas(steps, 0.002, 80, 7);
  const Tensor start = at::full({1}, 40.0, at::kDouble);
  const Tensor end = sample_euler(gaussian_denoiser, start, sigmas, [](int, auto&, auto&) {}, {});
  const double exact = 40.0 * std::sqrt(kVariance / (kVariance + 80.0 * 80.0));
  return std::abs(end.item<double>() - exact);
}

TEST(Euler, converges_with_order_one) {
  const double ratio = error_after(200) / error_after(400);
  EXPECT_NEAR(ratio, 2.0, 0.2);
  EXPECT_LT(error_after(400), 0.01);
}

TEST(Euler, last_step_returns_the_denoised_estimate) {
  const std::vector<double> sigmas = {5, 0};
  const Tensor x = at::full({2}, 3.0, at::kDouble);
  const Tensor end = sample_euler(gaussian_denoiser, x, sigmas, [](int, auto&, auto&) {}, {});
  EXPECT_NEAR(end[0].item<double>(), gaussian_denoiser(x, 5)[0].item<double>(), 1e-12);
}

TEST(Euler, reports_every_step_and_stops_when_asked) {
  const std::vector<double> sigmas = karras_sigmas(5, 0.002, 700, 7);
  std::stop_source stop;
  int last = 0;
  const StepHook hook = [&](int step, const Tensor&, const Tensor&) {
    EXPECT_EQ(step, last + 1);
    last = step;
    if (step == 3) stop.request_stop();
  };
  sample_euler(gaussian_denoiser, at::full({1}, 1.0), sigmas, hook, stop.get_token());
  EXPECT_EQ(last, 3);
}

}  // namespace
}  // namespace svd::sampling
