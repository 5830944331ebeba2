#include "media/video_reader.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <sstream>
#include <thread>

#include "media/picture.h"
#include "svd/error.h"
#include "unit/media/support.h"

namespace svd::media {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

void ffmpeg(const std::string& arguments) { output_of("ffmpeg -v error -y " + arguments); }

/// A moving picture of 64x48 whose frames all differ.
const std::string kMoving = "-f lavfi -i testsrc2=s=64x48:d=2:r=";

struct Frames {
  std::vector<double> seconds;  ///< when each is shown, from the first one on
  std::vector<std::string> rgb;
};

/// All frames of a clip as ffprobe and ffmpeg see them.
Frames frames_of(const std::filesystem::path& path, const std::string& size = "64x48") {
  Frames frames;
  std::istringstream lines(
      output_of("ffprobe -v error -select_streams v -show_entries frame=best_effort_timestamp_time "
                "-of csv=p=0 " +
                path.string()));
  for (std::string line; std::getline(lines, line);)
    if (!line.empty()) frames.seconds.push_back(std::stod(line));
  for (const double first = frames.seconds.at(0); double& seconds : frames.seconds)
    seconds -= first;
  const std::string all = output_of("ffmpeg -v fatal -i " + path.string() +
                                    " -sws_flags accurate_rnd+full_chroma_int+bicubic -vsync "
                                    "passthrough -f rawvideo -pix_fmt rgb24 -");
  const std::size_t bytes = std::stoul(size) * std::stoul(size.substr(size.find('x') + 1)) * 3;
  for (std::size_t at = 0; at < all.size(); at += bytes)
    frames.rgb.push_back(all.substr(at, bytes));
  return frames;
}

std::string rgb_at(const std::filesystem::path& path, const std::string& time) {
  const auto rgb = read_picture(path.string() + "@" + time).image.rgb;
  return {rgb.begin(), rgb.end()};
}

std::string refusal(const std::string& input, const InputOptions& options = {}) {
  return refusal_of([&] { read_picture(input, options); });
}

std::string in_seconds(double seconds) {
  std::ostringstream text;
  text << std::fixed;
  text.precision(6);
  text << seconds;
  return text.str();
}

void expect_every_frame(const std::filesystem::path& path) {
  const Frames frames = frames_of(path);
  ASSERT_EQ(frames.rgb.size(), frames.seconds.size());
  ASSERT_GT(frames.rgb.size(), 8u);
  for (std::size_t i = 0; i < frames.rgb.size(); ++i) {
    const double begin = frames.seconds[i];
    EXPECT_TRUE(rgb_at(path, in_seconds(begin)) == frames.rgb[i]) << path << " frame " << i;
    if (i + 1 == frames.rgb.size()) break;
    const double just_before = frames.seconds[i + 1] - 0.002;
    EXPECT_TRUE(rgb_at(path, in_seconds(just_before)) == frames.rgb[i]) << path << " after " << i;
  }
  EXPECT_TRUE(rgb_at(path, "end") == frames.rgb.back()) << path;
  const Picture first = read_picture(path);
  EXPECT_TRUE(std::equal(first.image.rgb.begin(), first.image.rgb.end(), frames.rgb[0].begin(),
                         frames.rgb[0].end(),
                         [](std::uint8_t a, char b) { return a == static_cast<std::uint8_t>(b); }))
      << path;
}

TEST(ReadFrame, GivesTheFrameShownAtATimeInEveryContainer) {
  const TempDir dir;
  const std::pair<const char*, const char*> cases[] = {
      {"h264.mp4", "24000/1001 -c:v libx264 -g 12 -bf 3 -pix_fmt yuv420p"},
      {"open.mp4", "25 -c:v libx264 -g 10 -bf 2 -x264-params open-gop=1 -pix_fmt yuv420p"},
      {"hevc.mov",
       "30 -c:v libx265 -x265-params log-level=none:keyint=10:bframes=3 -pix_fmt yuv420p"},
      {"vp9.webm", "12.5 -c:v libvpx-vp9 -g 9 -cpu-used 8"},
      {"ffv1.mkv", "15 -c:v ffv1 -pix_fmt yuv420p"},
      {"mpeg4.avi", "29.97 -c:v mpeg4 -g 15 -bf 0"},
      {"h264.ts", "25 -c:v libx264 -g 10 -bf 3 -pix_fmt yuv420p"},
      {"theora.ogv", "25 -c:v libtheora -g 8"},
      {"vp8.ivf", "10 -c:v libvpx -g 7"},
      {"raw.y4m", "7 -pix_fmt yuv422p"},
      {"prores.mov", "24 -c:v prores_ks -profile:v 1"},
      {"mjpeg.mov", "24 -c:v mjpeg -pix_fmt yuvj420p"}};
  for (const auto& [name, options] : cases) {
    ffmpeg(kMoving + options + " " + (dir / name).string());
    expect_every_frame(dir / name);
  }
}

TEST(ReadFrame, FollowsTimestampsAndNotARate) {
  const TempDir dir;
  ffmpeg(kMoving +
         "10 -vf 'settb=1/1000,setpts=N*(N+1)*10' -vsync passthrough -enc_time_base 1:1000 -c:v "
         "ffv1 -pix_fmt yuv420p " +
         (dir / "uneven.mkv").string());
  expect_every_frame(dir / "uneven.mkv");
}

TEST(ReadFrame, CountsFromTheFirstFrame) {
  const TempDir dir;
  for (const std::string name : {"late.mkv", "late.mp4", "late.ts"}) {
    ffmpeg("-f lavfi -i sine=d=4 " + kMoving +
           "10 -map 0 -map 1 -vf setpts=PTS+1.5/TB -c:v libx264 "
           "-bf 2 -pix_fmt yuv420p " +
           (dir / name).string());
    const Frames frames = frames_of(dir / name);
    EXPECT_TRUE(rgb_at(dir / name, "0") == frames.rgb[0]) << name;
    EXPECT_TRUE(rgb_at(dir / name, "0.35") == frames.rgb[3]) << name;
    EXPECT_TRUE(rgb_at(dir / name, "end") == frames.rgb.back()) << name;
  }
}

TEST(ReadFrame, SaysHowLongTheClipIs) {
  const TempDir dir;
  const std::string clip = dir / "clip.mp4";
  ffmpeg(kMoving + "10 -c:v libx264 -pix_fmt yuv420p " + clip);
  const Frames frames = frames_of(clip);
  EXPECT_TRUE(rgb_at(clip, "2s") == frames.rgb.back());
  for (const std::string time : {"2001ms", "12.5s", "999999:00:00"})
    EXPECT_THAT(refusal(clip + "@" + time),
                AllOf(StartsWith("3 "), HasSubstr("ends after 2 seconds"), HasSubstr("@end")));
}

TEST(ReadFrame, NamesAndHashesTheWholeFile) {
  const TempDir dir;
  ffmpeg(kMoving + "10 -c:v libx264 -pix_fmt yuv420p " + (dir / "clip.mp4").string());
  const Picture picture = read_picture((dir / "clip.mp4").string() + "@0.5");
  EXPECT_EQ(picture.name, "clip.mp4@0.5");
  EXPECT_EQ(picture.sha256, output_of("sha256sum " + (dir / "clip.mp4").string()).substr(0, 64));
}

TEST(ReadFrame, ReadsClipsFromAPipe) {
  const TempDir dir;
  const std::string clip = dir / "clip.mp4";
  ffmpeg(kMoving + "10 -c:v libx264 -pix_fmt yuv420p " + clip);
  const auto bytes = read_bytes(clip);
  const int saved = dup(STDIN_FILENO);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  dup2(ends[0], STDIN_FILENO);
  close(ends[0]);
  std::thread writer([&] {
    EXPECT_EQ(write(ends[1], bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    close(ends[1]);
  });
  const Picture picture = read_picture("-@1.25s");
  writer.join();
  dup2(saved, STDIN_FILENO);
  close(saved);
  EXPECT_EQ(std::string(picture.image.rgb.begin(), picture.image.rgb.end()),
            frames_of(clip).rgb[12]);
}

TEST(ReadFrame, ReadsAnimatedGifs) {
  const TempDir dir;
  const std::string gif = dir / "moving.gif";
  ffmpeg(kMoving + "10 " + gif);
  const Frames frames = frames_of(gif);
  EXPECT_TRUE(rgb_at(gif, "0.55") == frames.rgb[5]);
  EXPECT_TRUE(rgb_at(gif, "end") == frames.rgb.back());
}

/// The RGB of a value pair by the definition of the matrix with these weights of red and blue.
std::array<int, 3> by_definition(std::array<int, 3> yuv, double red, double blue, bool full) {
  const double y = full ? yuv[0] : (yuv[0] - 16) * 255.0 / 219;
  const double scale = full ? 1 : 255.0 / 224;
  const double u = (yuv[1] - 128) * scale, v = (yuv[2] - 128) * scale;
  const double r = y + 2 * (1 - red) * v, b = y + 2 * (1 - blue) * u;
  const double g = (y - red * r - blue * b) / (1 - red - blue);
  const auto byte = [](double value) {
    return static_cast<int>(std::lround(std::clamp(value, 0.0, 255.0)));
  };
  return {byte(r), byte(g), byte(b)};
}

TEST(ReadFrame, ObeysMatrixAndRange) {
  const TempDir dir;
  struct Case {
    const char* tags;
    const char* size;
    double red, blue;
    bool full;
  };
  const Case cases[] = {{"-colorspace bt709 -color_range tv", "64x48", 0.2126, 0.0722, false},
                        {"-colorspace bt709 -color_range pc", "64x48", 0.2126, 0.0722, true},
                        {"-colorspace smpte170m -color_range tv", "64x48", 0.299, 0.114, false},
                        {"-colorspace bt470bg -color_range tv", "64x720", 0.299, 0.114, false},
                        {"-colorspace bt2020nc -color_range tv", "64x48", 0.2627, 0.0593, false},
                        {"", "64x576", 0.299, 0.114, false},
                        {"", "64x578", 0.2126, 0.0722, false}};
  for (const Case& colours : cases) {
    for (const std::array<int, 3> yuv : {std::array{90, 110, 170}, std::array{160, 90, 120}}) {
      const std::string clip = dir / "flat.mp4";
      std::ostringstream source;
      source << "-f lavfi -i \"color=s=" << colours.size
             << ":d=1:r=5,format=yuv420p,geq=lum=" << yuv[0] << ":cb=" << yuv[1] << ":cr=" << yuv[2]
             << "\" -c:v libx264 -qp 0 " << colours.tags << " ";
      ffmpeg(source.str() + clip);
      const auto rgb = read_picture(clip).image.rgb;
      const auto expected = by_definition(yuv, colours.red, colours.blue, colours.full);
      for (std::size_t channel = 0; channel < 3; ++channel)
        EXPECT_NEAR(rgb[channel], expected[channel], 1.01) << colours.tags << " " << colours.size;
    }
  }
}

TEST(ReadFrame, ComposesAlphaOverBlack) {
  const TempDir dir;
  const std::string clip = dir / "alpha.mkv";
  ffmpeg(
      "-f lavfi -i \"color=white:s=64x48:d=1,format=bgra,geq=r=200:g=100:b=50:a=128\" -c:v ffv1 " +
      clip);
  const auto rgb = read_picture(clip).image.rgb;
  EXPECT_EQ((std::vector<int>{rgb[0], rgb[1], rgb[2]}), (std::vector<int>{100, 50, 25}));
}

TEST(ReadFrame, TurnsAsTheContainerSays) {
  const TempDir dir;
  // As many samples of colour as of light: turning before and after conversion is the same.
  ffmpeg(kMoving + "10 -c:v libx264 -pix_fmt yuv444p " + (dir / "clip.mp4").string());
  for (const int angle : {90, 180, 270}) {
    const std::string clip = dir / "turned.mp4";
    ffmpeg("-i " + (dir / "clip.mp4").string() +
           " -c copy -metadata:s:v rotate=" + std::to_string(angle) + " " + clip);
    const Picture picture = read_picture(clip);
    EXPECT_EQ(picture.image.width, angle == 180 ? 64 : 48);
    EXPECT_TRUE(std::string(picture.image.rgb.begin(), picture.image.rgb.end()) ==
                frames_of(clip).rgb[0])
        << angle;
  }
}

TEST(ReadFrame, MirrorsAsTheContainerSays) {
  const TempDir dir;
  const std::string clip = dir / "clip.mp4";
  ffmpeg(kMoving + "10 -c:v libx264 -pix_fmt yuv420p " + clip);
  auto bytes = read_bytes(clip);
  const std::string box = "tkhd";
  const auto at = std::search(bytes.begin(), bytes.end(), box.begin(), box.end());
  ASSERT_NE(at, bytes.end());
  // Version 0: the matrix comes 40 bytes after the version; its rows are a b u, c d v, x y w.
  const auto matrix = at + 4 + 40;
  ASSERT_EQ(matrix[1], 1);  // a is 1.0, 16 bits before the point
  const auto set = [&](int entry, int value) {
    for (int i = 0; i < 4; ++i)
      matrix[4 * entry + i] = static_cast<std::uint8_t>(
          i < 2 ? (value < 0 ? (i == 0 ? 255 : 255) : (i == 1 ? value : 0)) : 0);
  };
  const Image plain = read_picture(clip).image;
  const auto shown = [&](int a, int b, int c, int d) {
    set(0, a);
    set(1, b);
    set(3, c);
    set(4, d);
    write_bytes(dir / "changed.mp4", bytes);
    return read_picture(dir / "changed.mp4").image;
  };
  const auto pixel = [](const Image& image, int x, int y) {
    const std::uint8_t* start = image.rgb.data() + 3 * (y * image.width + x);
    return std::vector<int>(start, start + 3);
  };
  const Image mirrored = shown(-1, 0, 0, 1), upside_down = shown(1, 0, 0, -1);
  const Image transposed = shown(0, 1, 1, 0), other = shown(0, -1, -1, 0);
  for (const auto& [x, y] : {std::pair{3, 40}, std::pair{50, 7}}) {
    EXPECT_EQ(pixel(mirrored, 63 - x, y), pixel(plain, x, y));
    EXPECT_EQ(pixel(upside_down, x, 47 - y), pixel(plain, x, y));
    EXPECT_EQ(pixel(transposed, y, x), pixel(plain, x, y));
    EXPECT_EQ(pixel(other, 47 - y, 63 - x), pixel(plain, x, y));
  }
}

TEST(ReadFrame, MakesPixelsSquare) {
  const TempDir dir;
  const std::string clip = dir / "wide.mp4";
  const auto shaped = [&](const std::string& shape) {
    ffmpeg(kMoving + "10 -vf setsar=" + shape + " -c:v libx264 -pix_fmt yuv420p " + clip);
    return read_picture(clip).image;
  };
  for (const auto& [shape, width] :
       {std::pair{"4/3", 85}, std::pair{"8/9", 57}, std::pair{"1", 64}}) {
    const Image image = shaped(shape);
    EXPECT_EQ(image.width, width);
    EXPECT_EQ(image.height, 48);
    const std::string expected =
        output_of("ffmpeg -v error -i " + clip + " -frames:v 1 -vf scale=" + std::to_string(width) +
                  ":48:flags=accurate_rnd+full_chroma_int+bicubic,format=rgb24 -f rawvideo -");
    EXPECT_TRUE(std::string(image.rgb.begin(), image.rgb.end()) == expected) << shape;
  }
  EXPECT_EQ(shaped("100/1").width, 64);  // nobody means that
  shaped("4/3");
  EXPECT_THAT(refusal(clip, {.max_pixels = 85 * 48 - 1}), HasSubstr("85x48"));
}

TEST(ReadFrame, ObeysTheCapOnPixels) {
  const TempDir dir;
  for (const std::string name : {"clip.mp4", "clip.ts", "clip.y4m", "clip.webm"}) {
    const std::string clip = dir / name;
    ffmpeg(kMoving + "10 -pix_fmt yuv420p " + clip);
    EXPECT_EQ(read_picture(clip, {.max_pixels = 64 * 48}).image.width, 64);
    EXPECT_THAT(refusal(clip, {.max_pixels = 64 * 48 - 1}),
                AllOf(StartsWith("3 "), HasSubstr("64x48"), HasSubstr("--max-pixels")));
  }
}

TEST(ReadFrame, RefusesHugeClipsUndecoded) {
  const TempDir dir;
  const std::string head = "YUV4MPEG2 W12000 H10000 F25:1\nFRAME\n";
  write_bytes(dir / "huge.y4m", {head.begin(), head.end()});
  EXPECT_THAT(refusal(dir / "huge.y4m"), AllOf(StartsWith("3 "), HasSubstr("12000x10000")));
}

TEST(ReadFrame, NamesWhatHoldsNoPicture) {
  const TempDir dir;
  ffmpeg("-f lavfi -i sine=d=1 -c:a aac " + (dir / "sound.mp4").string());
  EXPECT_THAT(refusal(dir / "sound.mp4"), AllOf(StartsWith("3 "), HasSubstr("no video")));
  ffmpeg(kMoving + "10 -c:v snow -strict -2 " + (dir / "rare.avi").string());
  EXPECT_THAT(refusal(dir / "rare.avi"),
              AllOf(StartsWith("3 "), HasSubstr("snow"), HasSubstr("ffmpeg -i")));
  const std::string heic = std::string("\0\0\0\x18", 4) + "ftypheic\0\0\0\0mif1heic";
  write_bytes(dir / "a.heic", {heic.begin(), heic.end()});
  EXPECT_THAT(refusal(dir / "a.heic"), HasSubstr("heif-convert"));
}

TEST(ReadFrame, SurvivesFilesThatAreCutOffOrChanged) {
  const TempDir dir;
  testing::internal::CaptureStderr();
  for (const std::string name : {"clip.mp4", "clip.mkv", "clip.ts", "clip.avi", "clip.y4m"}) {
    ffmpeg(kMoving + "5 -pix_fmt yuv420p " + (dir / name).string());
    const auto whole = read_bytes(dir / name);
    EXPECT_THAT(refusal_of([&] {
                  MemorySource source(std::span<const std::uint8_t>(whole).first(100));
                  read_frame(source, clip_container(whole), 0, "cat", kMaxPixels);
                }),
                AllOf(StartsWith("3 "), HasSubstr("cat")))
        << name;
    for (std::size_t step = 0; step < 40; ++step) {
      auto changed = whole;
      changed[step * whole.size() / 40 + step] ^= 0xff;
      const std::size_t kept = step * whole.size() / 40;
      for (const std::span<const std::uint8_t> bytes :
           {std::span<const std::uint8_t>(whole).first(kept),
            std::span<const std::uint8_t>(changed)}) {
        try {
          MemorySource source(bytes);
          read_frame(source, clip_container(whole), 1'000'000, "cat", kMaxPixels);
        } catch (const Error& error) {
          EXPECT_EQ(error.kind(), ErrorKind::image) << name << " " << error.what();
        }
      }
    }
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(ReadFrame, OpensNoOtherFile) {
  const TempDir dir;
  ffmpeg(kMoving + "5 -pix_fmt yuv420p " + (dir / "clip.mp4").string());
  for (const std::string text : {"ffconcat version 1.0\nfile clip.mp4\n",
                                 "#EXTM3U\n#EXTINF:1,\nclip.mp4\n#EXT-X-ENDLIST\n"}) {
    write_bytes(dir / "list", {text.begin(), text.end()});
    EXPECT_THAT(refusal(dir / "list"), HasSubstr("not a picture"));
  }
}

}  // namespace
}  // namespace svd::media
