// Plots: where the curve is drawn, read back from the PNG.

#include "media/plot.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "media/image_reader.h"

namespace svd::media {
namespace {

class PlotTest : public testing::Test {
 protected:
  PlotTest()
      : path_(std::filesystem::temp_directory_path() /
              ("svd-plot-" + std::to_string(getpid()) + ".png")) {}
  ~PlotTest() override { std::filesystem::remove(path_); }

  Image plot(const Curve& curve) const {
    write_plot(path_, curve, "a title");
    return read_image(path_.string());
  }

  /// The middle of the strong curve's pixels in a column; negative: there are none.
  static double height_in(const Image& picture, int column) {
    double sum = 0;
    int count = 0;
    for (int row = 0; row < picture.height; ++row) {
      const std::uint8_t* const rgb = &picture.rgb[std::size_t(3 * (row * picture.width + column))];
      if (rgb[2] < 180 || rgb[0] > 60) continue;
      sum += row;
      ++count;
    }
    return count > 0 ? sum / count : -1;
  }

  std::filesystem::path path_;
};

TEST_F(PlotTest, the_mean_falls_where_the_values_fall) {
  Curve curve;
  for (int i = 0; i < 400; ++i) {
    curve.x.push_back(i);
    curve.y.push_back(std::exp(-i / 100.0) + (i % 2 == 0 ? 0.05 : -0.05));
  }
  curve.y[7] = std::nan("");
  const Image picture = plot(curve);
  ASSERT_EQ(picture.width, 960);
  ASSERT_EQ(picture.height, 540);
  const double left = height_in(picture, 150), middle = height_in(picture, 400),
               right = height_in(picture, 850);
  EXPECT_GT(left, 40);
  EXPECT_GT(middle, left + 50);
  EXPECT_GT(right, middle + 50);
}

TEST_F(PlotTest, nothing_and_one_value_draw_axes) {
  for (const Curve& curve : {Curve{}, Curve{{1}, {2}}, Curve{{1, 2}, {std::nan(""), 3}}}) {
    const Image picture = plot(curve);
    for (int column = 0; column < picture.width; ++column) ASSERT_LT(height_in(picture, column), 0);
  }
}

TEST_F(PlotTest, equal_values_are_a_level_line) {
  const Image picture = plot({{1, 2, 3}, {5, 5, 5}});
  EXPECT_GT(height_in(picture, 300), 0);
  EXPECT_NEAR(height_in(picture, 300), height_in(picture, 800), 1);
}

}  // namespace
}  // namespace svd::media
