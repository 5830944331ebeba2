#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "training/draw.h"

namespace svd::training {

/// A point or direction of a plane. Lengths are in units of a picture's short side.
struct Point {
  double x = 0;
  double y = 0;
};
inline Point operator+(Point a, Point b) { return {a.x + b.x, a.y + b.y}; }
inline Point operator-(Point a, Point b) { return {a.x - b.x, a.y - b.y}; }
inline Point operator*(Point a, double s) { return {a.x * s, a.y * s}; }

/// RGB in [0, 1].
using Colour = std::array<double, 3>;
Colour mix(const Colour& a, const Colour& b, double share);

/// A colouring of the plane, drawn from a seed: gradients, stripes, checks, dots, marble, clouds,
/// or a landscape with sky, ridges and ground.
class Texture {
 public:
  enum class Use { background, surface };
  Texture(Draw& draw, Use use);
  Colour at(Point p) const;

 private:
  enum class Kind { gradient, clouds, marble, stripes, checks, dots, landscape };
  double pattern(Point p) const;
  Colour palette(double share) const;
  Colour landscape(Point p) const;

  Kind kind_;
  std::vector<Colour> palette_;
  double frequency_;
  Point direction_;  ///< of unit length
  double roughness_;
  std::uint64_t seed_;
};

}  // namespace svd::training
