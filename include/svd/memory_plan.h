#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "svd/observer.h"

namespace svd {

/// What one stage of a render holds at its peak.
struct StageMemory {
  Stage stage = Stage::sample;
  std::int64_t weight_bytes = 0;
  std::int64_t activation_bytes = 0;  ///< computed tensors, and copies while weights are loaded
  std::int64_t bytes() const { return weight_bytes + activation_bytes; }
};

/// How a render fits into memory. Choices do not change the pixels: work is done in smaller pieces,
/// or weights are loaded when they are needed instead of being kept.
struct MemoryPlan {
  std::int64_t limit_bytes = 0;     ///< of the request, else what the device has free
  std::int64_t process_bytes = 0;   ///< the program, its libraries and the encoder; 0 on a GPU
  std::int64_t cache_bytes = 0;     ///< host memory kept for reuse, at most
  std::vector<StageMemory> stages;  ///< condition, sample, decode

  // What is used once is streamed always: the image encoder and the VAE's encoder.
  bool stream_unet = false;          ///< its blocks are loaded one by one, at every step
  std::int64_t unet_kept_bytes = 0;  ///< of a streamed UNet's blocks, those that are kept
  bool sequential_guidance = false;  ///< both branches of guidance one after the other
  bool stream_decoder = false;       ///< its blocks are loaded one by one, for every chunk
  /// The decoder computes its large tensors in parts of about this size; 0: in one piece.
  std::int64_t decode_part_bytes = 0;
  /// The decoder computes some tensors twice instead of keeping them.
  bool recompute_decoder = false;
  /// UNet and decoder stay loaded for the next run (Generator::set_keep_networks).
  bool keep_networks = false;

  std::int64_t peak_bytes() const;  ///< expected, the cache aside
};

/// The choices that cost time, for people: "UNet streamed, guidance sequential"; empty if none.
std::string describe_choices(const MemoryPlan& plan);

}  // namespace svd
