#include "training/texture.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace svd::training {
namespace {

double smooth(double t) { return t * t * (3 - 2 * t); }
double ramp(double low, double high, double x) {
  return smooth(std::clamp((x - low) / (high - low), 0.0, 1.0));
}

/// [0, 1) from a cell of the grid.
double of_cell(std::int64_t x, std::int64_t y, std::uint64_t seed) {
  std::uint64_t h =
      seed ^ (std::uint64_t(x) * 0x9e3779b97f4a7c15U) ^ (std::uint64_t(y) * 0xc2b2ae3d27d4eb4fU);
  h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdU;
  h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53U;
  return double((h ^ (h >> 33)) >> 11) * 0x1p-53;
}

/// Values at the points of a grid, blended in between: [0, 1).
double value_noise(Point p, std::uint64_t seed) {
  const double fx = std::floor(p.x), fy = std::floor(p.y);
  const auto x = static_cast<std::int64_t>(fx), y = static_cast<std::int64_t>(fy);
  const double u = smooth(p.x - fx), v = smooth(p.y - fy);
  return std::lerp(std::lerp(of_cell(x, y, seed), of_cell(x + 1, y, seed), u),
                   std::lerp(of_cell(x, y + 1, seed), of_cell(x + 1, y + 1, seed), u), v);
}

/// Noise of several scales, about [0, 1].
double fractal(Point p, double roughness, std::uint64_t seed) {
  constexpr int kOctaves = 4;
  double sum = 0, weight = 1, total = 0;
  for (int i = 0; i < kOctaves; ++i) {
    sum += weight * value_noise(p, seed + std::uint64_t(i));
    total += weight;
    weight *= roughness;
    p = p * 2.03 + Point{11.3, 7.7};
  }
  return sum / total;
}

Colour of_hue(double hue, double saturation, double value) {
  Colour colour;
  for (int i = 0; i < 3; ++i) {
    const double k = std::fmod(5 - 2 * i + hue * 6, 6.0);
    colour[std::size_t(i)] = value * (1 - saturation * std::clamp(std::min(k, 4 - k), 0.0, 1.0));
  }
  return colour;
}

}  // namespace

Colour mix(const Colour& a, const Colour& b, double share) {
  return {std::lerp(a[0], b[0], share), std::lerp(a[1], b[1], share), std::lerp(a[2], b[2], share)};
}

Texture::Texture(Draw& draw, Use use) {
  constexpr Kind kBackgrounds[] = {Kind::landscape, Kind::landscape, Kind::landscape,
                                   Kind::clouds,    Kind::clouds,    Kind::marble,
                                   Kind::gradient,  Kind::dots,      Kind::checks};
  constexpr Kind kSurfaces[] = {Kind::gradient, Kind::gradient, Kind::clouds, Kind::marble,
                                Kind::stripes,  Kind::checks,   Kind::dots};
  kind_ = use == Use::background ? kBackgrounds[draw.index(std::size(kBackgrounds))]
                                 : kSurfaces[draw.index(std::size(kSurfaces))];
  const double hue = draw.uniform();
  const int colours = 3 + draw.index(3);
  for (int i = 0; i < colours; ++i) {  // a draw a statement: compilers order arguments as they like
    const double value = draw.uniform(0.1, 1);
    const double saturation = draw.uniform(0.05, 0.8);
    const double shift = draw.uniform(0, 0.45);
    palette_.push_back(of_hue(std::fmod(hue + shift, 1.0), saturation, value));
  }
  frequency_ = use == Use::background ? draw.log_uniform(1, 5) : draw.log_uniform(3, 14);
  const double angle = draw.uniform(0, 2 * std::numbers::pi);
  direction_ = {std::cos(angle), std::sin(angle)};
  roughness_ = draw.uniform(0.25, 0.6);
  seed_ = draw.seed();
}

Colour Texture::palette(double share) const {
  const double place = std::clamp(share, 0.0, 1.0) * double(palette_.size() - 1);
  const auto i = std::min(static_cast<std::size_t>(place), palette_.size() - 2);
  return mix(palette_[i], palette_[i + 1], smooth(place - double(i)));
}

double Texture::pattern(Point p) const {
  const Point q = p * frequency_;
  const double along = q.x * direction_.x + q.y * direction_.y;
  const double across = q.y * direction_.x - q.x * direction_.y;
  switch (kind_) {
    case Kind::gradient:
      return 0.5 + 0.5 * std::sin(0.7 * along) + 0.15 * (fractal(q, roughness_, seed_) - 0.5);
    case Kind::clouds:
      return 1.6 * fractal(q, roughness_, seed_) - 0.3;
    case Kind::marble:
      return 0.5 + 0.5 * std::sin(2 * along + 5 * fractal(q, roughness_, seed_));
    case Kind::stripes:
      return ramp(-0.25, 0.25, std::sin(2 * along)) + 0.15 * (fractal(q, roughness_, seed_) - 0.5);
    case Kind::checks:
      return 0.5 + 0.5 * std::clamp(4 * std::sin(2 * along) * std::sin(2 * across), -1.0, 1.0);
    case Kind::dots: {
      const double dx = along - std::round(along), dy = across - std::round(across);
      return 1 - ramp(0.22, 0.32, std::hypot(dx, dy));
    }
    case Kind::landscape:
      break;
  }
  return 0;
}

Colour Texture::landscape(Point p) const {
  const double horizon = 0.25 * direction_.x;  // y grows downwards
  Colour colour = mix(palette_[0], {0.95, 0.95, 0.98}, ramp(-1, horizon + 0.3, p.y));
  const double cloud = fractal({p.x * 2, p.y * 5}, 0.5, seed_);
  colour = mix(colour, {1, 1, 1}, 0.6 * ramp(0.5, 0.8, cloud));
  for (int i = 0; i < 3; ++i) {  // ridges, the nearest last
    const std::uint64_t seed = seed_ + 100 * std::uint64_t(i + 1);
    const double height = fractal({p.x * (0.8 + 0.5 * i), double(i)}, roughness_, seed) - 0.5;
    const double ridge = horizon + 0.14 * i - 0.45 * height / (1 + 0.4 * i);
    const double grain = fractal(p * (frequency_ * (2 + 2 * i)), 0.55, seed + 7);
    const Colour& base = palette_[std::size_t(1 + i) % palette_.size()];
    const Colour shade = mix(mix(base, colour, 0.45 - 0.2 * i), {0.05, 0.07, 0.05}, 0.6 * grain);
    colour = mix(colour, shade, ramp(-0.004, 0.004, p.y - ridge));
  }
  return colour;
}

Colour Texture::at(Point p) const {
  return kind_ == Kind::landscape ? landscape(p) : palette(pattern(p));
}

}  // namespace svd::training
