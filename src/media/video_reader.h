#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>

#include "media/byte_source.h"
#include "svd/image.h"

namespace svd::media {

/// A time in a clip, in microseconds after its first frame.
using FrameTime = std::int64_t;
/// The last frame, whenever that is.
inline constexpr FrameTime kLastFrame = std::numeric_limits<FrameTime>::max();

/// libav's name for the container of the clip that begins with `bytes`, null if it is none of
/// those that are read. An animated GIF is a picture here; its name is kGifContainer.
const char* clip_container(std::span<const std::uint8_t> bytes);
inline constexpr const char* kGifContainer = "gif";

/// The frame of a clip that is shown at `time`: the last one that begins no later, to the
/// microsecond. RGB over black by the matrix and range of the stream's tags (untagged: BT.709 above
/// 576 rows, else BT.601; limited range), with square pixels, turned as the container says. HDR is
/// not tone-mapped. Nothing but `source` is read. Throws Error{image}: damaged, of a kind that is
/// not read, too large, or over before `time`.
Image read_frame(const ByteSource& source, const char* container, FrameTime time,
                 const std::string& name, std::int64_t max_pixels);

}  // namespace svd::media
