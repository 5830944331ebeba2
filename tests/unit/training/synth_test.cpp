// Procedural clips: repeatable, and moving as they say.

#include "training/synth.h"

#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <cmath>

#include "training/scene.h"

namespace svd::training {
namespace {

SynthOptions small(Motion motion) {
  SynthOptions options;
  options.frames = 5;
  options.width = 48;
  options.height = 32;
  options.motion = motion;
  return options;
}

TEST(Synth, is_repeatable_and_depends_on_the_seed) {
  const Clip a = synthesize(7, small(Motion::pan_left)), b = synthesize(7, small(Motion::pan_left));
  const Clip c = synthesize(8, small(Motion::pan_left));
  EXPECT_EQ(a.frames.sizes(), (std::vector<std::int64_t>{5, 32, 48, 3}));
  EXPECT_TRUE(a.frames.equal(b.frames));
  EXPECT_EQ(a.motion_score, b.motion_score);
  EXPECT_FALSE(a.frames.equal(c.frames));
}

TEST(Synth, a_longer_clip_begins_like_a_short_one_of_the_same_speed) {
  SynthOptions options = small(Motion::zoom_in);
  options.fps = 30;
  const Clip a = synthesize(3, options);
  options.frames = 9;
  EXPECT_TRUE(synthesize(3, options).frames.narrow(0, 0, 5).equal(a.frames));
}

TEST(Synth, scores_follow_the_motion) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    const double still = synthesize(seed, small(Motion::still)).motion_score;
    const double moving = synthesize(seed, small(Motion::pan_right)).motion_score;
    EXPECT_LT(still, 0.03) << seed;
    EXPECT_GT(moving, 0.04) << seed;
    EXPECT_LT(moving, 1.5) << seed;
  }
}

TEST(Synth, buckets_grow_up_to_255) {
  EXPECT_EQ(motion_bucket(0), 1);
  EXPECT_EQ(motion_bucket(0.6), 161);
  EXPECT_EQ(motion_bucket(2.4), 250);
  EXPECT_EQ(motion_bucket(100), 255);
}

/// Mean flow over the picture, and its divergence: both in short sides a second.
struct MeanFlow {
  double x = 0, y = 0, outwards = 0;
};
MeanFlow mean_flow(const Scene& scene) {
  constexpr double kSeconds = 0.05;
  MeanFlow mean;
  int count = 0;
  for (double x = -0.45; x < 0.5; x += 0.1) {
    for (double y = -0.45; y < 0.5; y += 0.1, ++count) {
      const Point flow = scene.flow({x, y}, 0, kSeconds) * (1 / kSeconds);
      mean.x += flow.x;
      mean.y += flow.y;
      mean.outwards += flow.x * x + flow.y * y;
    }
  }
  return {mean.x / count, mean.y / count, mean.outwards / count};
}

TEST(Scene, what_is_seen_moves_against_the_camera) {
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    const auto of = [&](Motion motion) {
      Scene scene(seed, motion);
      scene.set_strength(0.2);
      return mean_flow(scene);
    };
    EXPECT_GT(of(Motion::pan_left).x, 0.15) << seed;
    EXPECT_LT(of(Motion::pan_right).x, -0.15) << seed;
    EXPECT_GT(of(Motion::pan_up).y, 0.15) << seed;
    EXPECT_LT(of(Motion::pan_down).y, -0.15) << seed;
    EXPECT_NEAR(of(Motion::pan_left).y, 0, 1e-12) << seed;
    EXPECT_NEAR(of(Motion::pan_right).y, 0, 1e-12) << seed;
    EXPECT_NEAR(of(Motion::pan_up).x, 0, 1e-12) << seed;
    EXPECT_NEAR(of(Motion::pan_down).x, 0, 1e-12) << seed;
    EXPECT_GT(of(Motion::zoom_in).outwards, 0.01) << seed;
    EXPECT_LT(of(Motion::zoom_out).outwards, -0.01) << seed;
  }
}

/// The colour at a place is the colour where its flow leads to, but for what is hidden or lit anew.
TEST(Scene, flow_leads_to_the_same_colour) {
  for (const Motion motion : {Motion::objects, Motion::pan_left, Motion::zoom_out}) {
    int same = 0, count = 0;
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
      Scene scene(seed, motion);
      scene.set_strength(0.3);
      for (double x = -0.4; x < 0.45; x += 0.1) {
        for (double y = -0.4; y < 0.45; y += 0.1, ++count) {
          const Colour before = scene.colour({x, y}, 0.1);
          const Colour after = scene.colour(Point{x, y} + scene.flow({x, y}, 0.1, 0.3), 0.3);
          same += std::abs(before[0] - after[0]) + std::abs(before[1] - after[1]) +
                      std::abs(before[2] - after[2]) <
                  1e-6;
        }
      }
    }
    EXPECT_GT(same, 0.85 * count) << to_string(motion);
  }
}

}  // namespace
}  // namespace svd::training
