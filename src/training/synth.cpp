#include "training/synth.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>

namespace svd::training {
namespace {

constexpr double kBuckets = 255;
constexpr double kBucketScore = 0.6;
constexpr double kScorePerSpeed = 8;  // short sides a second -> 16ths in half a second
constexpr double kSlowest = 0.006, kFastest = 0.15;  // short sides a second: buckets 20 to 220
constexpr double kStill = 0.003;
constexpr double kFarthest = 0.25;  // short sides in a whole clip
constexpr int kProbes = 16;         // a side, where flow is taken

/// The middle of a pixel's part on the screen.
Point on_screen(double x, double y, int width, int height) {
  const double side = std::min(width, height);
  return {(x - width / 2.0) / side, (y - height / 2.0) / side};
}

/// Mean speed over the screen from one moment to another, short sides a second.
double speed(const Scene& scene, const SynthOptions& options, double from, double to) {
  double sum = 0;
  for (int i = 0; i < kProbes; ++i) {
    for (int j = 0; j < kProbes; ++j) {
      const Point flow =
          scene.flow(on_screen((i + 0.5) * options.width / kProbes,
                               (j + 0.5) * options.height / kProbes, options.width, options.height),
                     from, to);
      sum += std::hypot(flow.x, flow.y);
    }
  }
  return sum / (kProbes * kProbes) / (to - from);
}

std::uint8_t quantised(double value) {
  return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0, 1.0) * 255));
}

/// Four samples a pixel.
void draw_row(const Scene& scene, const SynthOptions& options, double seconds, int y,
              std::uint8_t* rgb) {
  for (int x = 0; x < options.width; ++x, rgb += 3) {
    Colour sum = {};
    for (const double dy : {0.25, 0.75}) {
      for (const double dx : {0.25, 0.75}) {
        const Colour colour =
            scene.colour(on_screen(x + dx, y + dy, options.width, options.height), seconds);
        for (std::size_t c = 0; c < 3; ++c) sum[c] += colour[c];
      }
    }
    for (std::size_t c = 0; c < 3; ++c) rgb[c] = quantised(sum[c] / 4);
  }
}

Motion drawn_motion(Draw& draw) {
  constexpr Motion kMotions[] = {
      Motion::still,     Motion::objects,   Motion::objects, Motion::pan_left, Motion::pan_left,
      Motion::pan_right, Motion::pan_right, Motion::pan_up,  Motion::pan_down, Motion::zoom_in,
      Motion::zoom_in,   Motion::zoom_out,  Motion::orbit};
  return kMotions[draw.index(std::size(kMotions))];
}

}  // namespace

int motion_bucket(double motion_score) {
  return std::max(
      1, static_cast<int>(std::lround(-kBuckets * std::expm1(-motion_score / kBucketScore))));
}

Clip synthesize(std::uint64_t seed, const SynthOptions& options) {
  Draw draw(seed);
  const Motion motion = drawn_motion(draw);
  const double fps = options.fps.value_or(std::round(draw.log_uniform(3, 30)));
  Scene scene(draw.seed(), options.motion.value_or(motion));
  const double seconds = (options.frames - 1) / fps;
  const bool is_still = options.motion.value_or(motion) == Motion::still;
  const double wanted =
      is_still ? draw.uniform(0, kStill)
               : std::min(draw.log_uniform(kSlowest, kFastest), kFarthest / std::max(seconds, 0.1));
  // Speed grows with strength nearly evenly, so a short moment tells how strong it has to be.
  const double at_one = speed(scene, options, 0, 0.01);
  scene.set_strength(at_one > 1e-6 ? std::min(wanted / at_one, 2.0) : 0);

  Clip clip;
  clip.fps = fps;
  clip.motion = to_string(options.motion.value_or(motion));
  clip.source = "seed " + std::to_string(seed);
  clip.frames = at::empty({options.frames, options.height, options.width, 3}, at::kByte);
  std::uint8_t* const rgb = clip.frames.mutable_data_ptr<std::uint8_t>();
  at::parallel_for(0, std::int64_t(options.frames) * options.height, 8,
                   [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t row = begin; row < end; ++row)
                       draw_row(scene, options, double(row / options.height) / fps,
                                static_cast<int>(row % options.height),
                                rgb + row * options.width * 3);
                   });
  double sum = 0;
  for (int i = 0; i + 1 < options.frames; ++i) sum += speed(scene, options, i / fps, (i + 1) / fps);
  clip.motion_score = options.frames > 1 ? kScorePerSpeed * sum / (options.frames - 1) : 0;
  return clip;
}

}  // namespace svd::training
