#pragma once

#include <memory>

#include "media/frame_writer.h"

struct AVRational;

namespace svd::media {

/// The rate that an MP4 gets for `fps`: n * 1000/1001 for its usual roundings, else the simplest
/// fraction. Throws Error{output} if there is none.
AVRational frame_rate(double fps);

std::unique_ptr<FrameSink> open_mp4(const OutputOptions& options);

}  // namespace svd::media
