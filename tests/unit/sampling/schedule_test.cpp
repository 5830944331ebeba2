#include "sampling/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

namespace svd::sampling {
namespace {

// Published EDM tables of Stability's discretizer at n = 25 and 30 (sigma 0.002 .. 700, rho 7).
TEST(Schedule, matches_the_published_tables) {
  const std::vector<double> s25 = karras_sigmas(25, 0.002, 700, 7);
  ASSERT_EQ(s25.size(), 26u);
  const double head25[] = {700, 545.7292, 421.5691, 322.4537, 244.0231};
  for (int i = 0; i < 5; ++i) EXPECT_NEAR(s25[i], head25[i], 1e-4 * head25[i]) << i;
  EXPECT_NEAR(s25[22], 0.0248, 1e-4);
  EXPECT_NEAR(s25[23], 0.00788, 1e-5);
  EXPECT_NEAR(s25[24], 0.002, 1e-12);
  EXPECT_EQ(s25[25], 0);

  const std::vector<double> s30 = karras_sigmas(30, 0.002, 700, 7);
  const double head30[] = {700, 570.0267, 461.3130, 370.8781, 296.0857};
  for (int i = 0; i < 5; ++i) EXPECT_NEAR(s30[i], head30[i], 1e-4 * head30[i]) << i;
  EXPECT_NEAR(s30[28], 0.00634, 1e-5);
}

TEST(Schedule, one_step_goes_from_the_top_to_zero) {
  EXPECT_EQ(karras_sigmas(1, 0.002, 700, 7), (std::vector<double>{700, 0}));
}

TEST(Schedule, falls_strictly_to_zero) {
  for (int steps : {2, 3, 10, 100}) {
    const std::vector<double> sigmas = karras_sigmas(steps, 0.002, 700, 7);
    for (std::size_t i = 1; i < sigmas.size(); ++i) EXPECT_LT(sigmas[i], sigmas[i - 1]);
  }
}

TEST(Preconditioning, follows_the_paper) {
  const Preconditioning p = precondition(700);
  EXPECT_NEAR(p.c_noise, 1.6378, 1e-4);
  EXPECT_NEAR(p.c_skip, 1 / 490001.0, 1e-12);
  EXPECT_NEAR(p.c_out, -700 / std::sqrt(490001.0), 1e-12);
  EXPECT_NEAR(p.c_in, 1 / std::sqrt(490001.0), 1e-12);
  // v-prediction: x0 = c_skip * x + c_out * v recovers x0 from x = x0 + sigma * n with
  // v = (n - sigma * x0) / sqrt(1 + sigma^2).
  for (double sigma : {0.01, 1.0, 50.0}) {
    const double x0 = 0.3, n = -1.7, x = x0 + sigma * n;
    const double v = (n - sigma * x0) / std::sqrt(1 + sigma * sigma);
    const Preconditioning q = precondition(sigma);
    EXPECT_NEAR(q.c_skip * x + q.c_out * v, x0, 1e-12) << sigma;
  }
}

TEST(Preconditioning, initial_latents_carry_the_whole_variance) {
  EXPECT_NEAR(initial_scale(700), 700.00071, 1e-5);
}

TEST(Guidance, rises_linearly_from_first_to_last_frame) {
  const std::vector<float> scales = linear_guidance(1.5, 3.0, 25);
  ASSERT_EQ(scales.size(), 25u);
  EXPECT_FLOAT_EQ(scales[0], 1.5f);
  EXPECT_FLOAT_EQ(scales[12], 2.25f);
  EXPECT_FLOAT_EQ(scales[24], 3.0f);
  EXPECT_EQ(linear_guidance(1.5, 3.0, 1), std::vector<float>{1.5f});
}

}  // namespace
}  // namespace svd::sampling
