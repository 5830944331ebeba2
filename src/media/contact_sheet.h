#pragma once

#include <filesystem>
#include <memory>

#include "media/frame_writer.h"

namespace svd::media {

/// Throws Error{usage} unless `path` is named as a PNG or JPEG file.
void check_contact_sheet_name(const std::filesystem::path& path);

/// Passes frames on and, at the end, writes *options.contact_sheet: all frames in a grid, row by
/// row, each at most 256 pixels wide.
std::unique_ptr<FrameSink> open_contact_sheet(std::unique_ptr<FrameSink> next,
                                              const OutputOptions& options);

}  // namespace svd::media
