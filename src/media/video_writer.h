#pragma once

#include <memory>

#include "media/resolve_encoding.h"

namespace svd::media {

/// Encodes frames into one file or, for the path "-", to standard output, as `encoding` says.
std::unique_ptr<FrameSink> open_video(const OutputOptions& options, const Encoding& encoding);

}  // namespace svd::media
