#include "media/formats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

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
  EXPECT_EQ(stream.value("color_range", ""), is_rgb ? "pc" : "tv");
  if (std::string(video.codec_name) == "rawvideo") return;  // Y4M has no place for the others
  EXPECT_EQ(stream.value("color_space", ""), is_rgb ? "gbr" : "bt709");
  EXPECT_EQ(stream.value("color_transfer", ""), is_rgb ? "iec61966-2-1" : "bt709");
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

/// Milliseconds of each frame of an animated WebP, and how often it plays (0: for ever).
std::pair<std::vector<int>, int> webp_timing(const std::filesystem::path& path) {
  const json found = json::parse(output_of("python3 - '" + path.string() + R"(' <<'END'
import json, struct, sys
data = open(sys.argv[1], 'rb').read()
assert data[:4] == b'RIFF' and data[8:12] == b'WEBP' and struct.unpack('<I', data[4:8])[0] == len(data) - 8
at, times, loops = 12, [], -1
while at < len(data):
    name, size = data[at:at + 4], struct.unpack('<I', data[at + 4:at + 8])[0]
    body = data[at + 8:at + 8 + size]
    if name == b'ANIM': loops = struct.unpack('<H', body[4:6])[0]
    if name == b'ANMF': times.append(int.from_bytes(body[12:15], 'little'))
    at += 8 + size + size % 2
print(json.dumps([times, loops]))
END)"));
  return {found[0], found[1]};
}

/// The first picture of an animated WebP as a file of its own.
void extract_first_frame(const std::filesystem::path& from, const std::filesystem::path& to) {
  output_of("python3 - '" + from.string() + "' '" + to.string() + R"(' <<'END'
import struct, sys
data = open(sys.argv[1], 'rb').read()
at = data.index(b'ANMF')
size = struct.unpack('<I', data[at + 4:at + 8])[0]
body = b'WEBP' + data[at + 24:at + 8 + size]
open(sys.argv[2], 'wb').write(b'RIFF' + struct.pack('<I', len(body)) + body)
END)");
}

TEST(Formats, WebpIsAnimatedForEver) {
  const TempDir dir;
  const OutputOptions options = clip_options(dir / "out.webp");
  const std::string input = write_clip(options);
  const auto [times, loops] = webp_timing(options.path);
  EXPECT_EQ(times.size(), 6u);
  EXPECT_EQ(loops, 0);
  int total = 0;
  for (const int time : times) {
    EXPECT_NEAR(time, 1000 / 7.0, 1.0);
    total += time;
  }
  EXPECT_NEAR(total, 6000 / 7.0, 2.0);
  extract_first_frame(options.path, dir / "still.webp");
  EXPECT_GE(psnr(input.substr(0, 64 * 48 * 3), decoded(dir / "still.webp")), 32);
}

TEST(Formats, WebpOfEqualFramesIsAccepted) {
  const TempDir dir;
  const OutputOptions options = clip_options(dir / "out.webp");
  const auto sink = open_output(options);
  for (int frame = 0; frame < 6; ++frame) sink->write(pattern_frame(options, 8, frame < 3 ? 0 : 1));
  sink->finish();
  const auto [times, loops] = webp_timing(options.path);
  EXPECT_NEAR(std::accumulate(times.begin(), times.end(), 0), 6000 / 7.0, 20);
}

TEST(Formats, GifHasAPaletteOfItsOwnAndPlaysForEver) {
  const TempDir dir;
  const OutputOptions options = clip_options(dir / "out.gif");
  const std::string input = write_clip(options);
  const json stream = probe_clip(options.path);
  EXPECT_EQ(stream["codec_name"], "gif");
  EXPECT_EQ(stream["nb_read_frames"], "6");
  EXPECT_NEAR(std::stod(std::string(stream["format"]["duration"])), 6 / 7.0, 0.011);
  EXPECT_GE(psnr(input, decoded_as(options.path, 8)), 29);
  const auto bytes = read_bytes(options.path);
  const std::string text(bytes.begin(), bytes.end());
  const std::string netscape("NETSCAPE2.0\3\1\0\0", 15);  // for ever
  EXPECT_NE(text.find(netscape), std::string::npos);
}

TEST(Formats, PicturesAreWhatFfprobeExpects) {
  struct Pictures {
    const char* name;
    int bit_depth;
    const char* first;
    const char* codec_name;
    const char* pixel_format;
    double least_psnr;
  };
  for (const Pictures& pictures : std::vector<Pictures>{
           {"f_%02d.png", 8, "f_00.png", "png", "rgb24", 99},
           {"f_%02d.png", 16, "f_00.png", "png", "rgb48be", 99},
           {"f_%d.jpg", 8, "f_0.jpg", "mjpeg", "yuvj420p", 33},
           {"%03d.JPEG", 8, "000.JPEG", "mjpeg", "yuvj420p", 33},
           {"f_%02d.tif", 8, "f_00.tif", "tiff", "rgb24", 99},
           {"f_%02d.tiff", 16, "f_00.tiff", "tiff", "rgb48le", 99},
           {"clip/", 16, "clip/00000.png", "png", "rgb48be", 99},
       }) {
    SCOPED_TRACE(std::string(pictures.name) + " " + std::to_string(pictures.bit_depth));
    const TempDir dir;
    OutputOptions options = clip_options(dir / pictures.name, 63, 47, 3);
    options.encoding.bit_depth = pictures.bit_depth;
    const std::string input = write_clip(options);
    const json stream = probe_clip(dir / pictures.first);
    EXPECT_EQ(stream["codec_name"], pictures.codec_name);
    EXPECT_EQ(stream["pix_fmt"], pictures.pixel_format);
    EXPECT_EQ(stream["width"], 63);
    EXPECT_EQ(stream["height"], 47);
    const std::string first = decoded_as(dir / pictures.first, pictures.bit_depth);
    EXPECT_GE(psnr(input.substr(0, first.size()), first, pictures.bit_depth), pictures.least_psnr);
  }
}

TEST(Formats, OddSidesKeepTheirSize) {
  struct Odd {
    const char* name;
    const char* codec;
    const char* pixel_format;
    bool has_notice;
  };
  for (const Odd& odd : std::vector<Odd>{
           {"out.mp4", "h264", "yuv444p", true},
           {"out.mp4", "h265", "yuv444p", true},
           {"out.mp4", "av1", "yuv420p", false},
           {"out.webm", "vp9", "yuv420p", false},
           {"out.mov", "prores", "yuv422p10le", false},
           {"out.mkv", "ffv1", "bgr0", false},
           {"out.gif", "gif", "bgra", false},
           {"out.y4m", "rawvideo", "yuv420p", false},
       }) {
    SCOPED_TRACE(std::string(odd.name) + " " + odd.codec);
    const TempDir dir;
    OutputOptions options = clip_options(dir / odd.name, 63, 47, 3);
    options.encoding.codec = odd.codec;
    const std::string input = write_clip(options);
    const json stream = probe_clip(options.path);
    EXPECT_EQ(stream["width"], 63);
    EXPECT_EQ(stream["height"], 47);
    EXPECT_EQ(stream["pix_fmt"], odd.pixel_format);
    EXPECT_EQ(stream["nb_read_frames"], "3");
    EXPECT_EQ(resolve_encoding(options).notices.size(), odd.has_notice ? 1u : 0u);
    const int depth = resolve_encoding(options).input_bit_depth();
    EXPECT_GE(psnr(input, decoded_as(options.path, depth), depth), 28);
  }
  const TempDir dir;
  const OutputOptions options = clip_options(dir / "out.webp", 63, 47, 3);
  write_clip(options);
  EXPECT_EQ(webp_timing(options.path).first.size(), 3u);
}

TEST(Formats, BytesAreTheSameEveryTime) {
  const TempDir dir;
  for (const auto& [name, codec] :
       std::vector<std::pair<std::string, std::string>>{{"mp4", "h265"},
                                                        {"mp4", "av1"},
                                                        {"mkv", "h264"},
                                                        {"webm", "vp9"},
                                                        {"mov", "prores"},
                                                        {"mkv", "ffv1"},
                                                        {"gif", "gif"},
                                                        {"webp", "webp"}}) {
    std::vector<std::uint8_t> bytes[2];
    for (int round = 0; round < 2; ++round) {
      OutputOptions options =
          clip_options(dir / (codec + std::to_string(round) + "." + name), 96, 80, 6);
      options.encoding.codec = codec;
      options.metadata = "{}";
      write_clip(options);
      bytes[round] = read_bytes(options.path);
    }
    EXPECT_TRUE(bytes[0] == bytes[1]) << name << " " << codec;
  }
}

}  // namespace
}  // namespace svd::media
