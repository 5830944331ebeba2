#pragma once

#include <ATen/autocast_mode.h>
#include <c10/core/DeviceType.h>

namespace svd::nn {

/// torch's autocast for devices of a type: while it is enabled, matrix products and convolutions
/// are computed in `dtype`, whatever the type of their inputs. Every thread has its own, and the
/// backward pass of a CUDA device runs on another thread. Types of devices that know no autocast
/// have it disabled.
struct AutocastState {
  bool enabled = false;
  at::ScalarType dtype = at::kBFloat16;

  static AutocastState of(c10::DeviceType type) {
    if (!at::autocast::is_autocast_available(type)) return {};
    return {at::autocast::is_autocast_enabled(type), at::autocast::get_autocast_dtype(type)};
  }

  void set(c10::DeviceType type) const {
    if (!at::autocast::is_autocast_available(type)) return;
    at::autocast::set_autocast_enabled(type, enabled);
    at::autocast::set_autocast_dtype(type, dtype);
  }
};

/// Sets this thread's autocast while it is alive.
class Autocast {
 public:
  Autocast(const AutocastState& state, c10::DeviceType type)
      : type_(type), previous_(AutocastState::of(type)) {
    state.set(type_);
  }
  ~Autocast() {
    if (!previous_.enabled) at::autocast::clear_cache();  // of weights that the next step changes
    previous_.set(type_);
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  c10::DeviceType type_;
  AutocastState previous_;
};

}  // namespace svd::nn
