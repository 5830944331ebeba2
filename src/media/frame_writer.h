#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/encoding.h"
#include "svd/frame_sink.h"

namespace svd::media {

struct OutputOptions {
  /// "x.mp4", ..., "frames/" (folder of %05d.png), "f_%04d.png" (pattern), "-" (standard output).
  std::filesystem::path path;
  int width = 0;
  int height = 0;
  double fps = 0;  ///< of the frames that arrive
  int frames = 0;  ///< exactly so many frames must arrive
  bool overwrite = false;
  EncodingOptions encoding;
  std::string metadata;  ///< kept with the clip, in the file or in a sidecar; empty: none
  std::optional<std::filesystem::path> contact_sheet;  ///< PNG or JPEG of all frames that arrive
};

/// The format that `encoding` or else `path` says: "mp4", ..., "png", "jpeg", "tiff". Throws
/// Error{usage} for an unknown one, naming the known ones.
std::string output_format(const std::filesystem::path& path, const EncodingOptions& encoding = {});

/// Fails early: missing or unwritable parent folder, parent that is a file, existing output without
/// `overwrite`, output that is a folder. An empty folder is free for frames; with `overwrite` a
/// folder that holds nothing but frames is replaced. A pattern is taken as soon as any number of it
/// exists. Other names (not videos) are checked as files. "-" is always free. Throws
/// Error{output}.
void check_output(const std::filesystem::path& path, bool overwrite);

/// The same for all that `options` make: also the sidecar and the contact sheet. Throws also as
/// `output_format` does.
void check_output(const OutputOptions& options);

/// The same for a single file of any name.
void check_output_file(const std::filesystem::path& path, bool overwrite);

/// Opens the sink for `options`: exact frame count and rate, colours tagged as BT.709 in limited
/// range or, of RGB formats, sRGB; one thread and no version numbers, so that equal frames give
/// equal bytes. A file appears under its name when it is complete and read back. Rates that are a
/// rounded n * 1000/1001 (23.976, 29.97, ...) become exactly that. `resolve_encoding` says what is
/// chosen. Throws Error{output} and Error{usage}.
std::unique_ptr<FrameSink> open_output(const OutputOptions& options);

}  // namespace svd::media
