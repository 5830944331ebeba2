#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace svd::weights {

/// A short name for data: XXH3's 128 bits. It tells data apart that differs by chance, not by
/// design.
class Fingerprint {
 public:
  Fingerprint();
  ~Fingerprint();

  /// The next piece; where pieces begin and end counts.
  void add(std::string_view piece);
  /// Of all pieces so far: 32 hexadecimal digits, the same on every machine.
  std::string hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace svd::weights
