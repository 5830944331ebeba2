#include "media/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <optional>
#include <span>

#include "media/companion_file.h"
#include "media/picture_encoder.h"

namespace svd::media {
namespace {

constexpr int kWidth = 960, kHeight = 540;
constexpr int kLeft = 80, kRight = 24, kTop = 48, kBottom = 48;
constexpr int kTicks = 6;
constexpr double kSmoothing = 0.05;  // of the curve's length, before a point
const cv::Scalar kPaper(255, 255, 255), kInk(40, 40, 40), kGrid(225, 225, 225);
const cv::Scalar kPale(200, 215, 245), kStrong(30, 80, 200);  // RGB

struct Range {
  double low = 0;
  double high = 1;
};

/// Ends and distance of about `count` round numbers that cover a range: 1, 2 or 5 times a power of
/// ten.
struct Scale {
  Range range;
  double step;
};

Scale scale_of(Range range, int count) {
  if (!(range.high > range.low)) range = {range.low - 0.5, range.low + 0.5};
  const double rough = (range.high - range.low) / count;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {5.0, 2.0, 1.0})
    if (factor * power >= rough) step = factor * power;
  return {{std::floor(range.low / step) * step, std::ceil(range.high / step) * step}, step};
}

std::vector<double> ticks(const Scale& scale) {
  const double count = std::round((scale.range.high - scale.range.low) / scale.step);
  std::vector<double> out;
  for (int i = 0; i <= std::min(count, 100.0); ++i) out.push_back(scale.range.low + i * scale.step);
  return out;
}

Range range_of(const std::vector<double>& values) {
  if (values.empty()) return {};
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return {*low, *high};
}

Curve finite(const Curve& curve) {
  Curve out;
  for (std::size_t i = 0; i < std::min(curve.x.size(), curve.y.size()); ++i) {
    if (!std::isfinite(curve.x[i]) || !std::isfinite(curve.y[i])) continue;
    out.x.push_back(curve.x[i]);
    out.y.push_back(curve.y[i]);
  }
  return out;
}

std::vector<double> running_mean(const std::vector<double>& values) {
  const auto window = std::max<std::size_t>(
      1, static_cast<std::size_t>(std::lround(kSmoothing * double(values.size()))));
  std::vector<double> means;
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    sum += values[i];
    if (i >= window) sum -= values[i - window];
    means.push_back(sum / double(std::min(i + 1, window)));
  }
  return means;
}

class Canvas {
 public:
  Canvas(const Scale& x, const Scale& y)
      : x_(x), y_(y), picture_(kHeight, kWidth, CV_8UC3, kPaper) {}

  void axes(const std::string& title) {
    for (const double at : ticks(x_)) {
      const cv::Point foot = point(at, y_.range.low);
      line(foot, point(at, y_.range.high), kGrid, 1);
      text(fmt::format("{:g}", rounded(at, x_.step)), foot + cv::Point(-14, 24), 0.45);
    }
    for (const double at : ticks(y_)) {
      const cv::Point foot = point(x_.range.low, at);
      line(foot, point(x_.range.high, at), kGrid, 1);
      text(fmt::format("{:g}", rounded(at, y_.step)), foot + cv::Point(-60, 5), 0.45);
    }
    text(title, {kLeft, kTop - 18}, 0.55);
  }

  void curve(const std::vector<double>& x, const std::vector<double>& y, const cv::Scalar& colour,
             int thickness) {
    for (std::size_t i = 1; i < x.size(); ++i)
      line(point(x[i - 1], y[i - 1]), point(x[i], y[i]), colour, thickness);
  }

  std::span<const std::uint8_t> rgb() const {
    return {picture_.data, picture_.total() * picture_.elemSize()};
  }

 private:
  static double rounded(double value, double step) { return std::round(value / step) * step; }

  cv::Point point(double x, double y) const {
    const double u = (x - x_.range.low) / (x_.range.high - x_.range.low);
    const double v = (y - y_.range.low) / (y_.range.high - y_.range.low);
    return {kLeft + static_cast<int>(std::lround(u * (kWidth - kLeft - kRight))),
            kHeight - kBottom - static_cast<int>(std::lround(v * (kHeight - kTop - kBottom)))};
  }
  void line(cv::Point from, cv::Point to, const cv::Scalar& colour, int thickness) {
    cv::line(picture_, from, to, colour, thickness, cv::LINE_AA);
  }
  void text(const std::string& words, cv::Point at, double size) {
    cv::putText(picture_, words, at, cv::FONT_HERSHEY_SIMPLEX, size, kInk, 1, cv::LINE_AA);
  }

  Scale x_;
  Scale y_;
  cv::Mat picture_;
};

}  // namespace

void write_plot(const std::filesystem::path& path, const Curve& curve, const std::string& title) {
  const Curve points = finite(curve);
  Canvas canvas(scale_of(range_of(points.x), kTicks), scale_of(range_of(points.y), kTicks));
  canvas.axes(title);
  canvas.curve(points.x, points.y, kPale, 1);
  canvas.curve(points.x, running_mean(points.y), kStrong, 2);
  CompanionFile file(path.string(), true);
  file.write(encode_picture(canvas.rgb(), kWidth, kHeight, 8, "png", std::nullopt));
  file.publish_before([] {});
}

}  // namespace svd::media
