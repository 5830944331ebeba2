#pragma once

#include <filesystem>
#include <string>

#include "media/resolve_encoding.h"

namespace svd::media {

/// Reads a video file, without decoding it, and throws Error{output}, naming `shown`, unless it is
/// what was asked for: the number of frames, their size, the rate, and the metadata where the
/// format keeps it.
void verify_video(const std::filesystem::path& file, const Encoding& encoding, int width,
                  int height, const std::string& metadata, const std::string& shown);

/// The same for an animated WebP, which FFmpeg does not read: equal neighbours become one frame
/// there, so that the whole duration stands for the number of frames.
void verify_webp(const std::filesystem::path& file, const Encoding& encoding, int width, int height,
                 const std::string& shown);

}  // namespace svd::media
