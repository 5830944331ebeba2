#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace svd::media {

/// The metadata that an output was written with: what an MP4, MOV, MKV, WebM or PNG file keeps, or
/// its sidecar. `path` is what was written: a file, a folder of frames, a pattern "f_%04d.png" or
/// one of its frames. Null if there is none. Throws Error{image} if there is no such file or it
/// cannot be read, also for more than 16 MB of metadata.
std::optional<std::string> read_metadata(const std::filesystem::path& path);

}  // namespace svd::media
