#include "media/motion.h"

#include <algorithm>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/video/tracking.hpp>

namespace svd::media {
namespace {

constexpr double kShortSide = 16;
constexpr double kSeconds = 0.5;

cv::Mat grey(const Image& image) {
  const cv::Mat rgb(image.height, image.width, CV_8UC3,
                    const_cast<std::uint8_t*>(image.rgb.data()));
  cv::Mat out;
  cv::cvtColor(rgb, out, cv::COLOR_RGB2GRAY);
  return out;
}

/// Mean of how the flow grows along its own axes, in the units of the flow per pixel.
double mean_divergence(const cv::Mat& flow) {
  cv::Mat parts[2], dx, dy;
  cv::split(flow, parts);
  cv::Sobel(parts[0], dx, CV_32F, 1, 0, 3, 1.0 / 8);
  cv::Sobel(parts[1], dy, CV_32F, 0, 1, 3, 1.0 / 8);
  return cv::mean(dx)[0] + cv::mean(dy)[0];
}

}  // namespace

ClipMotion measure_motion(const std::vector<Image>& frames, double fps) {
  ClipMotion sum;
  if (frames.size() < 2) return sum;
  cv::Mat before = grey(frames[0]);
  for (std::size_t i = 1; i < frames.size(); ++i) {
    const cv::Mat now = grey(frames[i]);
    cv::Mat flow;
    cv::calcOpticalFlowFarneback(before, now, flow, 0.5, 4, 15, 3, 5, 1.1, 0);
    cv::Mat parts[2], length;
    cv::split(flow, parts);
    cv::magnitude(parts[0], parts[1], length);
    sum.score += cv::mean(length)[0];
    sum.mean_x += cv::mean(parts[0])[0];
    sum.mean_y += cv::mean(parts[1])[0];
    sum.divergence += mean_divergence(flow);
    before = now;
  }
  const double pairs = double(frames.size() - 1);
  const double side = std::min(frames[0].width, frames[0].height);
  const double scale = kShortSide / side * fps * kSeconds / pairs;
  return {sum.score * scale, sum.mean_x * scale, sum.mean_y * scale, sum.divergence * fps / pairs};
}

}  // namespace svd::media
