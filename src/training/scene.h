#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "training/texture.h"

namespace svd::training {

/// What a scene's motion is, as far as it has one name.
enum class Motion {
  still,     ///< next to none
  objects,   ///< things move, the camera does not
  pan_left,  ///< the camera moves to the left: what it sees moves to the right
  pan_right,
  pan_up,
  pan_down,
  zoom_in,
  zoom_out,
  orbit,  ///< around lit solids
};
const char* to_string(Motion motion);
std::optional<Motion> motion_named(const std::string& name);
const std::vector<Motion>& all_motions();

/// What a camera sees: screen = (world - pan) * zoom; lengths in short sides, origin in the centre.
struct View {
  Point pan;
  double zoom = 1;
  double turn = 0;  ///< how far solids are turned, radians
};

/// A place on a surface, in the surface's own coordinates.
struct Spot {
  double x = 0;
  double y = 0;
  double z = 0;
};

/// Something visible that moves as a whole.
class Surface {
 public:
  virtual ~Surface() = default;
  /// What is seen at a place of the screen at `seconds`; nothing: the surface is elsewhere.
  virtual std::optional<Spot> seen(Point screen, const View& view, double seconds) const = 0;
  /// Where a spot is on the screen.
  virtual Point project(const Spot& spot, const View& view, double seconds) const = 0;
  virtual Colour colour(const Spot& spot, const View& view, double seconds) const = 0;
};

/// A background and the things before it, drawn from a seed, moving in a known way.
class Scene {
 public:
  /// `strength` scales all velocities.
  Scene(std::uint64_t seed, Motion motion);

  void set_strength(double strength) { strength_ = strength; }
  Colour colour(Point screen, double seconds) const;
  /// How far what is seen at a place moves on the screen from one moment to another.
  Point flow(Point screen, double from_seconds, double to_seconds) const;

 private:
  struct Seen {
    const Surface* surface;
    Spot spot;
  };
  View view(double seconds) const;
  Seen find(Point screen, const View& view, double seconds) const;

  std::vector<std::unique_ptr<Surface>> surfaces_;  ///< the nearest first, the background last
  View velocity_;                                   ///< a second; zoom as its logarithm
  double strength_ = 1;
};

}  // namespace svd::training
