#pragma once

#include <optional>
#include <string>
#include <vector>

#include "media/frame_writer.h"

namespace svd::media {

/// How a clip is written, with nothing left open. Plain data.
struct Encoding {
  std::string format;        ///< "mp4", ..., "png", "jpeg", "tiff"
  std::string codec;         ///< "h264", ...; of pictures the format's name
  std::string encoder;       ///< FFmpeg's name; empty for pictures
  std::string pixel_format;  ///< FFmpeg's name
  int bit_depth = 8;         ///< bits a channel in the file
  std::optional<int> crf;
  std::optional<int> quality;
  int frames = 0;    ///< as written, after interpolation and loop
  double fps = 0;    ///< as written
  int rate_num = 0;  ///< fps as the exact fraction that a file gets; 0 for pictures
  int rate_den = 1;
  std::vector<std::string> notices;  ///< what a user should know: a choice that was not asked for

  /// Bits a channel of frames that arrive: 8 or 16.
  int input_bit_depth() const { return bit_depth > 8 ? 16 : 8; }
};

/// Chooses what `options` leave open, and proves that the encoder opens with it. Touches no file.
/// Throws Error{usage} for what cannot be, Error{output} if the FFmpeg libraries lack an encoder.
Encoding resolve_encoding(const OutputOptions& options);

}  // namespace svd::media
