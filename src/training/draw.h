#pragma once

#include <cmath>
#include <cstdint>
#include <random>

namespace svd::training {

/// Numbers drawn from a seed, the same with every standard library: the generator's bits are
/// standardised, distributions are not.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : bits_(seed) {}

  double uniform() { return double(bits_() >> 11) * 0x1p-53; }  ///< [0, 1)
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Even over the logarithm.
  double log_uniform(double low, double high) { return low * std::pow(high / low, uniform()); }
  /// 0 .. count - 1.
  int index(int count) { return static_cast<int>(uniform() * count); }
  bool chance(double probability) { return uniform() < probability; }
  double sign() { return chance(0.5) ? 1 : -1; }
  /// A seed for another Draw.
  std::uint64_t seed() { return bits_(); }

 private:
  std::mt19937_64 bits_;
};

}  // namespace svd::training
