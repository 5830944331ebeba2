#pragma once

#include <string>

namespace svd {

/// What a file of `Request::save_latents` holds, without its data.
struct LatentsInfo {
  int frames = 0;
  int width = 0;  ///< cells of the latents: an eighth of the video's pixels for SVD
  int height = 0;
  std::string metadata;  ///< `Request::latents_metadata` of the render; empty: none was stored
};

/// Reads the header of `path`. Throws Error{usage} where it is no safetensors file with a tensor
/// `latents` of four dimensions.
LatentsInfo read_latents_info(const std::string& path);

}  // namespace svd
