#pragma once

struct AVRational;

namespace svd::media {

/// The rate that a video gets for `fps`: n * 1000/1001 for its usual roundings, else the simplest
/// fraction. Throws Error{output} if there is none.
AVRational frame_rate(double fps);

}  // namespace svd::media
