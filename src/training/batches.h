#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "training/clip_cache.h"
#include "training/train_config.h"

namespace svd::training {

/// Which clip of which cache.
struct ClipRef {
  const ClipCache* cache;
  std::size_t index;

  const ClipInfo& info() const { return cache->clips()[index]; }
};

/// The order in which training sees its clips, a function of the seed and the position alone: so
/// that a resumed run goes on where the other stopped. Every epoch is shuffled anew; the clips of a
/// batch have one shape. What does not fill a batch waits for another epoch. Clips of a shape that
/// has fewer than a batch are left out.
class Batches {
 public:
  /// Opens the caches of `config`. Throws Error{usage} if they hold no whole batch.
  explicit Batches(const TrainConfig& config);
  Batches(const Batches&) = delete;  // its clips point into its caches
  Batches& operator=(const Batches&) = delete;

  /// Batch number `position`, from 0.
  std::vector<ClipRef> at(std::int64_t position);
  std::int64_t clips() const { return clips_; }
  /// Those that were left out, in words; empty: none.
  const std::string& left_out() const { return left_out_; }
  /// One clip of every shape there is.
  std::vector<ClipRef> shapes() const;
  const std::vector<ClipCache>& caches() const { return caches_; }

 private:
  void shuffle(std::int64_t epoch);

  std::uint64_t seed_;
  std::size_t batch_;
  std::vector<ClipCache> caches_;
  std::vector<std::vector<ClipRef>> shapes_;  ///< clips of one shape
  std::int64_t clips_ = 0;
  std::string left_out_;
  std::int64_t batches_an_epoch_ = 0;
  std::int64_t epoch_ = -1;
  std::vector<std::vector<ClipRef>> order_;  ///< of the epoch
};

}  // namespace svd::training
