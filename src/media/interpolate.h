#pragma once

#include <memory>

#include "media/frame_writer.h"

namespace svd::media {

/// Passes on options.frames frames with `times` - 1 motion-compensated ones between each two:
/// (n - 1) * times + 1 in all. Every `times`-th is one that arrived, unchanged; those in between
/// are computed with 8 bits a channel. `times` is at least 2.
std::unique_ptr<FrameSink> open_interpolation(std::unique_ptr<FrameSink> next,
                                              const OutputOptions& options, int times);

}  // namespace svd::media
