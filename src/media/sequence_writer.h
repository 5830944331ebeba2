#pragma once

#include <memory>

#include "media/resolve_encoding.h"

namespace svd::media {

/// Frames as pictures. "folder/": 00000.png, ..., the folder appearing at the end as a whole.
/// "f_%04d.png": renamed at the end one after the other from a hidden folder beside them; without
/// `overwrite` a name that is taken meanwhile takes back those already renamed.
std::unique_ptr<FrameSink> open_sequence(const OutputOptions& options, const Encoding& encoding);

}  // namespace svd::media
