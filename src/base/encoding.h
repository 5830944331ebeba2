#pragma once

#include <optional>
#include <string>

namespace svd {

/// What follows the last frame.
enum class Loop {
  forward,  ///< the first frame, where a format can say so
  bounce,   ///< the frames in between backwards, as frames of the file: 2 * n - 2 in all
};

/// How frames become a file. What is unset is chosen by the format. Plain data.
struct EncodingOptions {
  std::optional<std::string> format = {};  ///< instead of what the name says: "mp4", "y4m", ...
  std::optional<std::string> codec = {};   ///< "h264", "h265", "av1", "vp9", "ffv1", "prores", ...
  std::optional<int> crf = {};      ///< of video codecs: less is better; each has its own range
  std::optional<int> quality = {};  ///< of JPEG and WebP, 1 .. 100
  std::optional<std::string> pixel_format = {};  ///< FFmpeg's name: "yuv444p"
  std::optional<int> bit_depth = {};             ///< bits a channel: 8, 10 or 16
  Loop loop = Loop::forward;
  int interpolate = 1;   ///< so many times the frame rate, by motion compensation (lossy)
  bool sidecar = false;  ///< metadata also in a file of its own where the format could keep it
};

const char* to_string(Loop loop);

}  // namespace svd
