#include "media/formats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "media/resolve_encoding.h"
#include "unit/media/clips.h"

namespace svd::media {
namespace {

using nlohmann::json;
using testing::HasSubstr;

struct Video {
  const char* name;
  const char* codec;  ///< asked for; empty: the default
  int bit_depth;      ///< asked for; 0: the default
  // What ffprobe says:
  const char* codec_name;
  const char* pixel_format;
  const char* tag = "";
  double least_psnr = 36;
};

const std::vector<Video> kVideos = {
    {"out.mp4", "", 0, "h264", "yuv420p", "avc1"},
    {"out.mp4", "h264", 10, "h264", "yuv420p10le", "avc1"},
    {"out.mp4", "h265", 0, "hevc", "yuv420p", "hvc1"},
    {"out.mp4", "hevc", 10, "hevc", "yuv420p10le", "hvc1"},
    {"out.mp4", "av1", 0, "av1", "yuv420p", "av01"},
    {"out.mp4", "av1", 10, "av1", "yuv420p10le", "av01"},
    {"out.mov", "", 0, "h264", "yuv420p", "avc1"},
    {"out.mov", "h265", 0, "hevc", "yuv420p", "hvc1"},
    {"out.mov", "prores", 0, "prores", "yuv422p10le", "apch"},
    {"out.mkv", "", 0, "h264", "yuv420p"},
    {"out.mkv", "h265", 10, "hevc", "yuv420p10le"},
    {"out.mkv", "av1", 0, "av1", "yuv420p"},
    {"out.mkv", "vp9", 0, "vp9", "yuv420p"},
    {"out.mkv", "ffv1", 0, "ffv1", "bgr0", "", 99},
    {"out.mkv", "ffv1", 10, "ffv1", "gbrp10le", "", 65},
    {"out.mkv", "ffv1", 16, "ffv1", "gbrp16le", "", 99},
    {"out.webm", "", 0, "vp9", "yuv420p"},
    {"out.webm", "vp9", 10, "vp9", "yuv420p10le"},
    {"out.webm", "av1", 0, "av1", "yuv420p"},
    {"out.y4m", "", 0, "rawvideo", "yuv420p"},
    {"out.y4m", "", 10, "rawvideo", "yuv420p10le"},
};

OutputOptions options_of(const Video& video, const TempDir& dir) {
  OutputOptions options = clip_options(dir / video.name);
  if (*video.codec != 0) options.encoding.codec = video.codec;
  if (video.bit_depth != 0) options.encoding.bit_depth = video.bit_depth;
  return options;
}

void expect_colours(const json& stream, const Video& video) {
  const bool is_rgb = std::string(video.codec_name) == "ffv1";
  if (is_rgb) return;  // nothing but the pixel format says so in a file
  EXPECT_EQ(stream.value("color_range", ""), "tv");
  if (std::string(video.codec_name) == "rawvideo") return;
  EXPECT_EQ(stream.value("color_space", ""), "bt709");
  EXPECT_EQ(stream.value("color_transfer", ""), "bt709");
  EXPECT_EQ(stream.value("color_primaries", ""), "bt709");
}

TEST(Formats, VideosAreWhatFfprobeExpects) {
  for (const Video& video : kVideos) {
    SCOPED_TRACE(std::string(video.name) + " " + video.codec + " " +
                 std::to_string(video.bit_depth));
    const TempDir dir;
    const OutputOptions options = options_of(video, dir);
    const std::string input = write_clip(options);
    EXPECT_EQ(dir.entries(), (std::set<std::string>{video.name}));
    const json stream = probe_clip(options.path);
    EXPECT_EQ(stream["codec_name"], video.codec_name);
    EXPECT_EQ(stream["pix_fmt"], video.pixel_format);
    EXPECT_EQ(stream["width"], 64);
    EXPECT_EQ(stream["height"], 48);
    EXPECT_EQ(stream["nb_read_frames"], "6");
    EXPECT_EQ(stream["r_frame_rate"], "7/1");
    EXPECT_EQ(stream.value("start_time", "0.000000"), "0.000000");
    EXPECT_NEAR(std::stod(stream["format"].value("duration", "0")), 6 / 7.0, 0.002);
    if (*video.tag != 0) {
      EXPECT_EQ(stream["codec_tag_string"], video.tag);
    }
    expect_colours(stream, video);
    const int depth = resolve_encoding(options).input_bit_depth();
    // Y4M has no place for the matrix.
    const std::string matrix = options.path.extension() == ".y4m" ? "in_color_matrix=bt709" : "";
    EXPECT_GE(psnr(input, decoded_as(options.path, depth, matrix), depth), video.least_psnr);
  }
}

}  // namespace
}  // namespace svd::media
