#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "media/frame_writer.h"
#include "unit/media/support.h"

namespace svd::media {

inline OutputOptions clip_options(const std::filesystem::path& path, int width = 64,
                                  int height = 48, int frames = 6, double fps = 7) {
  OutputOptions options;
  options.path = path;
  options.width = width;
  options.height = height;
  options.frames = frames;
  options.fps = fps;
  return options;
}

/// Smooth colours that move with the frame, as a fraction of white.
inline double pattern(int x, int y, int channel, int frame) {
  return 0.5 +
         0.45 * std::sin((x + 2 * frame) * 0.05 * (channel + 1)) * std::cos(y * 0.05 + channel);
}

inline std::vector<std::uint8_t> pattern_frame(const OutputOptions& options, int bit_depth,
                                               int frame) {
  std::vector<std::uint8_t> bytes;
  for (int y = 0; y < options.height; ++y) {
    for (int x = 0; x < options.width; ++x) {
      for (int channel = 0; channel < 3; ++channel) {
        const double value = pattern(x, y, channel, frame);
        if (bit_depth == 8) {
          bytes.push_back(static_cast<std::uint8_t>(std::lround(255 * value)));
          continue;
        }
        const auto wide = static_cast<std::uint16_t>(std::lround(65535 * value));
        bytes.push_back(static_cast<std::uint8_t>(wide & 255));
        bytes.push_back(static_cast<std::uint8_t>(wide >> 8));
      }
    }
  }
  return bytes;
}

/// Writes the pattern and returns all of its frames one after the other, as they went in.
inline std::string write_clip(const OutputOptions& options) {
  const auto sink = open_output(options);
  std::string all;
  for (int frame = 0; frame < options.frames; ++frame) {
    const auto bytes = pattern_frame(options, sink->bit_depth(), frame);
    sink->write(bytes);
    all.append(bytes.begin(), bytes.end());
  }
  sink->finish();
  return all;
}

/// Peak signal to noise ratio in dB of two clips of equal size; 99 for equal ones, 0 where the
/// sizes differ.
inline double psnr(const std::string& a, const std::string& b, int bit_depth = 8) {
  const std::size_t bytes = bit_depth == 8 ? 1 : 2;
  if (a.size() != b.size() || a.empty()) return 0;
  const auto value = [&](const std::string& text, std::size_t at) {
    std::uint16_t result = 0;
    std::memcpy(&result, text.data() + at, bytes);
    return static_cast<double>(result);
  };
  double sum = 0;
  for (std::size_t at = 0; at < a.size(); at += bytes)
    sum += std::pow(value(a, at) - value(b, at), 2);
  const double peak = bit_depth == 8 ? 255 : 65535;
  const double mean = sum * static_cast<double>(bytes) / static_cast<double>(a.size());
  return mean == 0 ? 99 : 10 * std::log10(peak * peak / mean);
}

/// All frames as the ffmpeg command decodes them, RGB of 8 or 16 bits. `scale`: options of its
/// filter of that name.
inline std::string decoded_as(const std::string& path, int bit_depth,
                              const std::string& scale = {}) {
  return output_of("ffmpeg -v error -i '" + path +
                   "' -sws_flags accurate_rnd+full_chroma_int+bicubic -fps_mode passthrough" +
                   (scale.empty() ? "" : " -vf scale=" + scale) + " -f rawvideo -pix_fmt " +
                   (bit_depth == 8 ? "rgb24" : "rgb48le") + " -");
}

/// What ffprobe says of the only stream, frames counted, with the tags of the file.
inline nlohmann::json probe_clip(const std::string& path) {
  nlohmann::json file = nlohmann::json::parse(output_of(
      "ffprobe -v error -count_frames -show_streams -show_format -of json '" + path + "'"));
  EXPECT_EQ(file["streams"].size(), 1u) << path;
  nlohmann::json stream = file["streams"][0];
  stream["format"] = file["format"];
  return stream;
}

}  // namespace svd::media
