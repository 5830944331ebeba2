#pragma once

#include <string>

#include "media/libav.h"
#include "svd/image.h"

namespace svd::media {

/// A decoded video frame in RGB over black, as it is stored: see read_frame. Private to src/media.
/// Throws Error{image} for pixels that libswscale does not read.
Image to_rgb(const AVFrame& frame, const std::string& name);

}  // namespace svd::media
