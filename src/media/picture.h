#pragma once

#include <cstdint>
#include <string>

#include "media/image_reader.h"
#include "svd/image.h"

namespace svd::media {

struct InputOptions {
  std::int64_t max_pixels = kMaxPixels;  ///< refuse larger ones unread; 16 .. kLargestMaxPixels
  bool allow_network = false;            ///< may http and https addresses be fetched?
};

/// An input that was read, and what may be told about it.
struct Picture {
  Image image;         ///< upright, as read_image gives it
  std::string name;    ///< without folders; of an address without its query; may be any bytes
  std::string sha256;  ///< of all bytes of the input, in hexadecimal digits; of a clip: the file's
};

/// Reads what `input` names:
/// - a file, or "-" for standard input: a still picture (see read_image), or the first frame of a
///   clip (MP4, MOV, Matroska, WebM, AVI, MPEG-TS, Ogg, IVF, YUV4MPEG2);
/// - CLIP@TIME, where TIME is 12.5, 12.5s, 750ms, 00:01:02.5 or end: the frame shown at that time
///   after the first one, also of an animated GIF. A file of that very name wins;
/// - an http or https address, if options allow it, of at most 64 MiB.
/// Throws Error{image} if it cannot be read, and Error{usage} for an address that is not allowed,
/// a TIME that is none, or `max_pixels` out of range.
Picture read_picture(const std::string& input, const InputOptions& options = {});

}  // namespace svd::media
