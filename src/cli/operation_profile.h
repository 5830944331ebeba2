#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace svd::cli {

/// All calls of one operator. Seconds exclude the operators it calls, so rows add up. Operations
/// and bytes belong to the innermost operator that they can be counted for. Bytes are the sizes of
/// the tensors that are read and written, each counted once: what has to move, not what did.
struct OperationRow {
  std::string name;  ///< "aten::addmm"
  std::int64_t calls = 0;
  double seconds = 0;
  double flops = 0;
  double bytes = 0;
};

/// Records torch's operators as they are called by the thread that started it; at most one object
/// records in a thread. On a CUDA device the seconds are those of the calls, not of the kernels.
class OperationProfile {
 public:
  OperationProfile();
  ~OperationProfile();
  OperationProfile(const OperationProfile&) = delete;
  OperationProfile& operator=(const OperationProfile&) = delete;

  void start();
  void stop();

  /// Slowest first.
  std::vector<OperationRow> rows() const;
  /// Between start and stop.
  double seconds() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace svd::cli
