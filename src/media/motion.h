#pragma once

#include <vector>

#include "svd/image.h"

namespace svd::media {

/// How a clip moves, by Farneback's dense optical flow between neighbouring frames. Lengths are in
/// pixels of a picture whose short side has 16, and times half seconds, as in arXiv 2311.15127,
/// appendix C.
struct ClipMotion {
  double score = 0;   ///< mean length of the flow
  double mean_x = 0;  ///< mean flow to the right
  double mean_y = 0;  ///< mean flow downwards
  double divergence =
      0;  ///< mean of the flow's divergence, in a second: above 0 where the camera comes closer
};

/// frames: two or more of one size; fps: their rate. All zeros for less than two.
ClipMotion measure_motion(const std::vector<Image>& frames, double fps);

}  // namespace svd::media
