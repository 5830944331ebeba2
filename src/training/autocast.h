#pragma once

#include <ATen/autocast_mode.h>
#include <c10/core/DeviceType.h>

namespace svd::training {

/// While one of these is alive and `enabled`, torch computes matrix products and convolutions on
/// devices of a type in bfloat16, whatever the type of their inputs.
class Autocast {
 public:
  Autocast(bool enabled, c10::DeviceType type) : enabled_(enabled), type_(type) {
    if (!enabled_) return;
    at::autocast::set_autocast_enabled(type_, true);
    at::autocast::set_autocast_dtype(type_, at::kBFloat16);
  }
  ~Autocast() {
    if (!enabled_) return;
    at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(type_, false);
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  bool enabled_;
  c10::DeviceType type_;
};

}  // namespace svd::training
