#pragma once

#include <cstdint>
#include <vector>

namespace svd {

/// 8-bit RGB picture, rows from top to bottom without padding: `rgb` holds height * width * 3
/// bytes.
struct Image {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> rgb;
};

/// The two views of the input image that conditioning reads (both 8-bit RGB, upright).
struct InputImages {
  Image region;  ///< the kept part of the input at its own resolution (diffusers' CLIP reads it)
  Image fitted;  ///< exactly Request::width x Request::height (the VAE reads it)
};

}  // namespace svd
