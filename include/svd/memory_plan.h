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

/// How a render fits into memory. No choice changes the pixels: work is done in smaller pieces, or
/// weights are loaded when they are needed instead of being kept.
struct MemoryPlan {
  std::int64_t limit_bytes = 0;     ///< of the request, else what the device has free
  std::int64_t process_bytes = 0;   ///< the program, its libraries and the encoder; 0 on a GPU
  std::int64_t cache_bytes = 0;     ///< host memory kept for reuse, at most
  std::vector<StageMemory> stages;  ///< condition, sample, decode

  bool stream_image_encoder = false;  ///< its layers are loaded one by one
  bool stream_unet = false;           ///< its blocks are loaded one by one, at every step
  bool sequential_guidance = false;   ///< both branches of guidance one after the other
  bool decode_in_parts = false;       ///< the decoder computes its large tensors part by part

  std::int64_t peak_bytes() const;  ///< expected, the cache aside
};

/// The choices that cost time, for people: "UNet streamed, guidance sequential"; empty if none.
std::string describe_choices(const MemoryPlan& plan);

}  // namespace svd
