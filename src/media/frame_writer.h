#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/encoding.h"
#include "svd/frame_sink.h"

namespace svd::media {

/// What the name of an output says: "x.mp4", "frames/" (folder of %05d.png) or "f_%04d.png"
/// (pattern).
enum class OutputFormat { mp4, png_folder, png_pattern };

struct OutputOptions {
  std::filesystem::path path;
  int width = 0;
  int height = 0;
  double fps = 0;
  int frames = 0;  ///< exactly so many frames must arrive
  bool overwrite = false;
  EncodingOptions encoding;
  std::string metadata;  ///< kept with the clip; empty: none
};

/// The format of `path`. Throws Error{usage} for an unknown extension, naming the known ones.
OutputFormat output_format(const std::filesystem::path& path);

/// Fails early: missing or unwritable parent folder, parent that is a file, existing output without
/// `overwrite`, output that is a folder. An empty folder is free for frames; with `overwrite` a
/// folder that holds nothing but frames is replaced. A pattern is taken as soon as any number of it
/// exists. Other names (not videos) are checked as files. Throws Error{output}.
void check_output(const std::filesystem::path& path, bool overwrite);

/// The same for a single file of any name.
void check_output_file(const std::filesystem::path& path, bool overwrite);

/// Opens the sink for `options.path`. MP4: H.264, yuv420p, BT.709 limited range in all four tags,
/// faststart, exact frame count and rate. PNG: 8-bit RGB, numbered from 0. Rates that are a rounded
/// n * 1000/1001 (23.976, 29.97, ...) become exactly that. Throws Error{output}.
std::unique_ptr<FrameSink> open_output(const OutputOptions& options);

}  // namespace svd::media
