#pragma once

#include <string>
#include <vector>

namespace svd::media {

/// An encoder that svd-gen can use, and whether the FFmpeg libraries of this process have it. One
/// for a graphics card may be there and still fail to open without such a card.
struct KnownEncoder {
  std::string codec;    ///< "h264", ...
  std::string encoder;  ///< FFmpeg's name
  bool is_available = false;
};

/// All of them, those of a codec together, the preferred first.
std::vector<KnownEncoder> known_encoders();

}  // namespace svd::media
