#pragma once

#include <memory>

#include "media/frame_writer.h"

namespace svd::media {

/// Frames as "folder/00000.png", ..., the folder appearing at the end as a whole.
std::unique_ptr<FrameSink> open_png_folder(const OutputOptions& options);

/// Frames as "f_0000.png", ..., renamed at the end one after the other from a hidden folder beside
/// them. Without `overwrite` a name that is taken meanwhile takes back those already renamed.
std::unique_ptr<FrameSink> open_png_pattern(const OutputOptions& options);

}  // namespace svd::media
