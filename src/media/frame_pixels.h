#pragma once

#include <string>

#include "media/libav.h"
#include "svd/image.h"

namespace svd::media {

/// A decoded video frame in RGB over black, scaled to `width` columns: see read_frame. Private to
/// src/media. Throws Error{image} for pixels that libswscale does not read.
Image to_rgb(const AVFrame& frame, int width, const std::string& name);

}  // namespace svd::media
