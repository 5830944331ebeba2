#include "media/frame_rate.h"

#include <cmath>
#include <string>

#include "svd/error.h"

extern "C" {
#include <libavutil/rational.h>
}

namespace svd::media {

AVRational frame_rate(double fps) {
  for (const int n : {12, 15, 24, 30, 48, 60, 72, 90, 96, 120, 144, 240}) {
    const double exact = n * 1000.0 / 1001.0;
    const double two_decimals = std::round(exact * 100) / 100;
    if (std::abs(fps - exact) < 6e-4 || std::abs(fps - two_decimals) < 1e-9)
      return {n * 1000, 1001};
  }
  constexpr int max_term = 1'000'000;
  const AVRational rate = av_d2q(fps, max_term);
  if (!std::isfinite(fps) || rate.num <= 0 || rate.den <= 0) {
    throw Error(ErrorKind::output,
                "a frame rate of " + std::to_string(fps) + " cannot be stored in a video");
  }
  return rate;
}

}  // namespace svd::media
