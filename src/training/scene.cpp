#include "training/scene.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <utility>

namespace svd::training {
namespace {

constexpr double kTurn = 2 * std::numbers::pi;

constexpr std::array<std::pair<Motion, const char*>, 9> kNames = {{
    {Motion::still, "still"},
    {Motion::objects, "objects"},
    {Motion::pan_left, "pan_left"},
    {Motion::pan_right, "pan_right"},
    {Motion::pan_up, "pan_up"},
    {Motion::pan_down, "pan_down"},
    {Motion::zoom_in, "zoom_in"},
    {Motion::zoom_out, "zoom_out"},
    {Motion::orbit, "orbit"},
}};

Point turned(Point p, double angle) {
  const double c = std::cos(angle), s = std::sin(angle);
  return {c * p.x - s * p.y, s * p.x + c * p.y};
}

/// The colour of a lit surface.
Colour lit(Colour colour, double light) {
  for (double& channel : colour) channel = std::clamp(channel * light, 0.0, 1.0);
  return colour;
}

/// Things nearer than the background move more on the screen.
Point to_world(Point screen, const View& view, double nearness) {
  return screen * std::pow(view.zoom, -nearness) + view.pan * nearness;
}
Point to_screen(Point world, const View& view, double nearness) {
  return (world - view.pan * nearness) * std::pow(view.zoom, nearness);
}

class Background : public Surface {
 public:
  explicit Background(Draw& draw) : texture_(draw, Texture::Use::background) {}

  std::optional<Spot> seen(Point screen, const View& view, double) const override {
    const Point p = to_world(screen, view, 1);
    return Spot{p.x, p.y, 0};
  }
  Point project(const Spot& spot, const View& view, double) const override {
    return to_screen({spot.x, spot.y}, view, 1);
  }
  Colour colour(const Spot& spot, const View&, double) const override {
    return texture_.at({spot.x, spot.y});
  }

 private:
  Texture texture_;
};

double signed_uniform(Draw& draw, double low, double high) {
  const double sign = draw.sign();
  return sign * draw.uniform(low, high);
}

/// How a thing moves in the world.
struct Course {
  explicit Course(Draw& draw, bool moves)
      : start{draw.uniform(-0.6, 0.6), draw.uniform(-0.45, 0.45)},
        size(draw.log_uniform(0.1, 0.35)),
        angle(draw.uniform(0, kTurn)),
        nearness(draw.uniform(1, 1.5)) {
    if (!moves) return;
    // A draw a statement: compilers order arguments and factors as they like.
    const double direction = draw.uniform(0, kTurn);
    const double speed = draw.uniform(0.3, 1);
    velocity = turned({speed, 0}, direction);
    if (draw.chance(0.5)) spin = signed_uniform(draw, 0.5, 4);
    if (draw.chance(0.3)) growth = signed_uniform(draw, 0.1, 0.8);
  }

  Point start;
  double size;  ///< radius
  double angle;
  double nearness;
  Point velocity;     ///< short sides a second
  double spin = 0;    ///< radians a second
  double growth = 0;  ///< of the size's logarithm, a second
};

/// `seconds` are those of the moving things: already scaled by the scene's strength.
class Thing : public Surface {
 public:
  Thing(Draw& draw, bool moves) : course_(draw, moves), texture_(draw, Texture::Use::surface) {}

 protected:
  double scale(double seconds) const { return course_.size * std::exp(course_.growth * seconds); }
  Point inwards(Point screen, const View& view, double seconds) const {
    const Point centre = course_.start + course_.velocity * seconds;
    return (to_world(screen, view, course_.nearness) - centre) * (1 / scale(seconds));
  }
  Point outwards(Point local, const View& view, double seconds) const {
    const Point centre = course_.start + course_.velocity * seconds;
    return to_screen(centre + local * scale(seconds), view, course_.nearness);
  }

  Course course_;
  Texture texture_;
};

/// A flat shape that turns in its plane.
class Flat : public Thing {
 public:
  Flat(Draw& draw, bool moves)
      : Thing(draw, moves),
        shape_(static_cast<Shape>(draw.index(4))),
        aspect_(draw.uniform(0.5, 1)),
        corners_(3 + draw.index(4)) {}

  std::optional<Spot> seen(Point screen, const View& view, double seconds) const override {
    const Point p = turned(inwards(screen, view, seconds), -angle(seconds));
    if (!inside(p)) return std::nullopt;
    return Spot{p.x, p.y, 0};
  }
  Point project(const Spot& spot, const View& view, double seconds) const override {
    return outwards(turned({spot.x, spot.y}, angle(seconds)), view, seconds);
  }
  Colour colour(const Spot& spot, const View&, double) const override {
    const double light = 1.1 - 0.35 * std::hypot(spot.x + 0.3, spot.y + 0.3);
    return lit(texture_.at(Point{spot.x, spot.y} * course_.size), light);
  }

 private:
  enum class Shape { ellipse, rectangle, polygon, star };
  double angle(double seconds) const { return course_.angle + course_.spin * seconds; }
  bool inside(Point p) const {
    const double r = std::hypot(p.x, p.y);
    if (r > 1.5) return false;
    switch (shape_) {
      case Shape::ellipse:
        return std::hypot(p.x, p.y / aspect_) < 1;
      case Shape::rectangle:
        return std::abs(p.x) < 1 && std::abs(p.y) < aspect_;
      case Shape::polygon: {
        const double sector = kTurn / corners_;
        const double a = std::atan2(p.y, p.x);
        return r * std::cos(a - sector * std::round(a / sector)) < 0.8;
      }
      case Shape::star:
        return r < 0.7 + 0.3 * std::cos((corners_ + 1) * std::atan2(p.y, p.x));
    }
    return false;
  }

  Shape shape_;
  double aspect_;
  int corners_;
};

/// A ball or a box, lit from one side, turned about an upright axis by the camera's orbit.
class Solid : public Thing {
 public:
  Solid(Draw& draw, bool moves)
      : Thing(draw, moves),
        is_ball_(draw.chance(0.5)),
        half_{draw.uniform(0.4, 0.65), draw.uniform(0.4, 0.65), draw.uniform(0.4, 0.65)},
        tilt_(draw.uniform(0.2, 0.6)),
        light_side_(draw.sign()) {}

  std::optional<Spot> seen(Point screen, const View& view, double seconds) const override {
    const Point p = inwards(screen, view, seconds);
    if (std::hypot(p.x, p.y) >= 1.2) return std::nullopt;
    return is_ball_ ? on_ball(p, view) : on_box(p, view);
  }
  Point project(const Spot& spot, const View& view, double seconds) const override {
    const Spot eye = to_eye(spot, view);
    return outwards({eye.x, eye.y}, view, seconds);
  }
  Colour colour(const Spot& spot, const View& view, double) const override {
    const Spot normal = to_eye(outward(spot), view);
    const double light =
        0.35 + std::max(0.0, 0.5 * light_side_ * normal.x - 0.5 * normal.y + 0.6 * normal.z);
    return lit(texture_.at(unrolled(spot) * course_.size), light);
  }

 private:
  /// The eye looks along -z, y grows downwards.
  Spot to_eye(const Spot& s, const View& view) const {
    const Point about_y = turned({s.x, s.z}, course_.angle + view.turn);
    const Point about_x = turned({s.y, about_y.y}, tilt_);
    return {about_y.x, about_x.x, about_x.y};
  }
  Spot from_eye(const Spot& s, const View& view) const {
    const Point about_x = turned({s.y, s.z}, -tilt_);
    const Point about_y = turned({s.x, about_x.y}, -(course_.angle + view.turn));
    return {about_y.x, about_x.x, about_y.y};
  }
  std::optional<Spot> on_ball(Point p, const View& view) const {
    const double square = p.x * p.x + p.y * p.y;
    if (square >= 1) return std::nullopt;
    return from_eye({p.x, p.y, std::sqrt(1 - square)}, view);
  }
  /// Where the line of sight enters the box.
  std::optional<Spot> on_box(Point p, const View& view) const {
    const Spot from = from_eye({p.x, p.y, 4}, view), along = from_eye({0, 0, -1}, view);
    const std::array<double, 3> begin = {from.x, from.y, from.z},
                                step = {along.x, along.y, along.z};
    double enters = 0, leaves = 8;
    for (std::size_t i = 0; i < 3; ++i) {
      if (std::abs(step[i]) < 1e-9) {
        if (std::abs(begin[i]) > half_[i]) return std::nullopt;
        continue;
      }
      const double a = (-half_[i] - begin[i]) / step[i], b = (half_[i] - begin[i]) / step[i];
      enters = std::max(enters, std::min(a, b));
      leaves = std::min(leaves, std::max(a, b));
    }
    if (enters >= leaves) return std::nullopt;
    return Spot{begin[0] + enters * step[0], begin[1] + enters * step[1],
                begin[2] + enters * step[2]};
  }
  /// The face of the box that a spot is on: 0 x, 1 y, 2 z.
  int face(const Spot& s) const {
    const double x = std::abs(s.x) / half_[0], y = std::abs(s.y) / half_[1],
                 z = std::abs(s.z) / half_[2];
    return x >= y && x >= z ? 0 : y >= z ? 1 : 2;
  }
  Spot outward(const Spot& s) const {
    if (is_ball_) return s;
    switch (face(s)) {
      case 0:
        return {std::copysign(1.0, s.x), 0, 0};
      case 1:
        return {0, std::copysign(1.0, s.y), 0};
      default:
        return {0, 0, std::copysign(1.0, s.z)};
    }
  }
  Point unrolled(const Spot& s) const {
    if (is_ball_) return {2 * std::atan2(s.x, s.z), 2 * s.y};
    const int side = face(s);
    return Point{side == 0 ? s.z : s.x, side == 1 ? s.z : s.y} * 2 + Point{5.0 * side, 0};
  }

  bool is_ball_;
  std::array<double, 3> half_;
  double tilt_;
  double light_side_;
};

View camera_velocity(Draw& draw, Motion motion) {
  View velocity;
  velocity.zoom = 0;
  switch (motion) {
    case Motion::still:
    case Motion::objects:
      break;
    case Motion::pan_left:
      velocity.pan = {-1, 0};
      break;
    case Motion::pan_right:
      velocity.pan = {1, 0};
      break;
    case Motion::pan_up:
      velocity.pan = {0, -1};
      break;
    case Motion::pan_down:
      velocity.pan = {0, 1};
      break;
    case Motion::zoom_in:
      velocity.zoom = 1;
      break;
    case Motion::zoom_out:
      velocity.zoom = -1;
      break;
    case Motion::orbit:
      velocity.turn = draw.sign() * 3;
      velocity.pan = {velocity.turn * 0.2, 0};
      break;
  }
  return velocity;
}

}  // namespace

const char* to_string(Motion motion) {
  return std::find_if(kNames.begin(), kNames.end(),
                      [&](const auto& entry) { return entry.first == motion; })
      ->second;
}

std::optional<Motion> motion_named(const std::string& name) {
  for (const auto& [motion, known] : kNames)
    if (name == known) return motion;
  return std::nullopt;
}

const std::vector<Motion>& all_motions() {
  static const std::vector<Motion> all = [] {
    std::vector<Motion> motions;
    for (const auto& entry : kNames) motions.push_back(entry.first);
    return motions;
  }();
  return all;
}

Scene::Scene(std::uint64_t seed, Motion motion) {
  Draw draw(seed);
  velocity_ = camera_velocity(draw, motion);
  const bool moves = motion == Motion::objects || motion == Motion::still;
  const int things = (motion == Motion::objects || motion == Motion::orbit ? 1 : 0) + draw.index(5);
  for (int i = 0; i < things; ++i) {
    if (motion == Motion::orbit || draw.chance(0.3))
      surfaces_.push_back(std::make_unique<Solid>(draw, moves));
    else
      surfaces_.push_back(std::make_unique<Flat>(draw, moves));
  }
  surfaces_.push_back(std::make_unique<Background>(draw));
}

View Scene::view(double seconds) const {
  const double t = strength_ * seconds;
  return {velocity_.pan * t, std::exp(velocity_.zoom * t), velocity_.turn * t};
}

Scene::Seen Scene::find(Point screen, const View& view, double seconds) const {
  for (const auto& surface : surfaces_)
    if (const auto spot = surface->seen(screen, view, strength_ * seconds))
      return {surface.get(), *spot};
  return {surfaces_.back().get(), {}};  // not reached: the background is everywhere
}

Colour Scene::colour(Point screen, double seconds) const {
  const View now = view(seconds);
  const Seen seen = find(screen, now, seconds);
  return seen.surface->colour(seen.spot, now, strength_ * seconds);
}

Point Scene::flow(Point screen, double from_seconds, double to_seconds) const {
  const Seen seen = find(screen, view(from_seconds), from_seconds);
  return seen.surface->project(seen.spot, view(to_seconds), strength_ * to_seconds) - screen;
}

}  // namespace svd::training
