#pragma once

#include <memory>

#include "svd/frame_sink.h"

namespace svd::media {

/// Passes frames on to `next`, and at the end those between the last and the first one backwards:
/// 2 * n - 2 in all; of two frames or less, nothing more. Keeps all frames in memory.
std::unique_ptr<FrameSink> open_bounce(std::unique_ptr<FrameSink> next);

}  // namespace svd::media
