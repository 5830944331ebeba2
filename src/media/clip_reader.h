#pragma once

#include <filesystem>
#include <functional>

#include "media/image_reader.h"
#include "svd/image.h"

namespace svd::media {

/// Reads a clip from its first frame to its last. `on_frame` gets each upright frame with the time
/// in seconds at which it begins, and says whether to go on. A still picture is one frame. Throws
/// Error{image}.
void read_clip(const std::filesystem::path& file,
               const std::function<bool(const Image& frame, double seconds)>& on_frame,
               std::int64_t max_pixels = kMaxPixels);

}  // namespace svd::media
