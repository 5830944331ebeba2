#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>

#include "training/scene.h"

namespace svd::training {

inline constexpr int kMostFrames = 1000;                           ///< of a clip
inline constexpr int kLeastSide = 8, kMostSide = 4096;             ///< of its frames, pixels
inline constexpr std::int64_t kMostBytes = std::int64_t{1} << 30;  ///< of all of its frames

/// Mean optical flow, in the units of the motion score, and its divergence in a second.
struct Flow {
  double x = 0;
  double y = 0;
  double divergence = 0;
};

/// A clip and what is known of it.
struct Clip {
  at::Tensor frames;  ///< [F, H, W, 3], uint8
  double fps = 7;
  double motion_score = 0;        ///< see motion_bucket
  std::string motion;             ///< name of a Motion; empty: unknown
  std::string source;             ///< file name or seed, for people
  std::optional<Flow> flow = {};  ///< where it was measured
};

/// The motion score of arXiv 2311.15127, appendix C: mean length of the optical flow between frames
/// half a second apart, in pixels of a picture whose short side has 16.
/// The bucket is 255 (1 - exp(-score / 0.6)): slow motion is told apart finely, and fast motion has
/// room (the paper does not say how it got its buckets).
int motion_bucket(double motion_score);

struct SynthOptions {
  int frames = 14;
  int width = 128;
  int height = 128;
  std::optional<Motion> motion;  ///< none: drawn
  std::optional<double> fps;     ///< none: drawn from 3 to 30
};

/// A procedural clip: the same options and seed give the same bytes. The motion score is that of
/// the known motion.
Clip synthesize(std::uint64_t seed, const SynthOptions& options);

}  // namespace svd::training
