#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace svd::media {

/// A curve over a number that grows.
struct Curve {
  std::vector<double> x;
  std::vector<double> y;
};

/// Draws a curve, pale, and over it its running mean, with both axes' numbers and a title (ASCII),
/// into a PNG of 960x540 that takes the place of `path`. Points that are not finite are left out;
/// fewer than two draw nothing but axes. Throws Error{output} if it cannot be written.
void write_plot(const std::filesystem::path& path, const Curve& curve, const std::string& title);

}  // namespace svd::media
