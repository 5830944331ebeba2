#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "media/frame_rate.h"
#include "media/frame_writer.h"
#include "media/libav.h"
#include "svd/error.h"
#include "unit/media/clips.h"
#include "unit/media/support.h"

namespace svd::media {
namespace {

using nlohmann::json;

constexpr int kWidth = 128;
constexpr int kHeight = 64;

json probe(const std::filesystem::path& path) {
  return json::parse(output_of(
      "ffprobe -v error -count_frames -show_streams -show_format -of json " + path.string()));
}

OutputOptions options(const std::filesystem::path& path, int frames, double fps) {
  return clip_options(path, kWidth, kHeight, frames, fps);
}

constexpr std::array<std::array<int, 3>, 8> kColours = {{{255, 0, 0},
                                                         {0, 255, 0},
                                                         {0, 0, 255},
                                                         {255, 255, 0},
                                                         {255, 0, 255},
                                                         {0, 255, 255},
                                                         {255, 255, 255},
                                                         {0, 0, 0}}};

/// Four by two flat fields of saturated colours, moved on by one with every frame.
std::vector<std::uint8_t> fields(int frame) {
  std::vector<std::uint8_t> rgb;
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      const auto& colour = kColours[(x / 32 + y / 32 * 4 + frame) % 8];
      for (const int value : colour) rgb.push_back(static_cast<std::uint8_t>(value));
    }
  }
  return rgb;
}

void render(const OutputOptions& output) {
  const auto sink = open_output(output);
  for (int frame = 0; frame < output.frames; ++frame) sink->write(fields(frame));
  sink->finish();
}

std::string rate_text(double fps) {
  const AVRational rate = frame_rate(fps);
  return std::to_string(rate.num) + "/" + std::to_string(rate.den);
}

TEST(FrameRate, IsTheSimplestFractionOrNtsc) {
  EXPECT_EQ(rate_text(7), "7/1");
  EXPECT_EQ(rate_text(12.5), "25/2");
  EXPECT_EQ(rate_text(0.1), "1/10");
  EXPECT_EQ(rate_text(29.5), "59/2");
  EXPECT_EQ(rate_text(1000), "1000/1");
  EXPECT_EQ(rate_text(23.9), "239/10");
  EXPECT_EQ(rate_text(23.976), "24000/1001");
  EXPECT_EQ(rate_text(23.98), "24000/1001");
  EXPECT_EQ(rate_text(24000.0 / 1001), "24000/1001");
  EXPECT_EQ(rate_text(29.97), "30000/1001");
  EXPECT_EQ(rate_text(59.94), "60000/1001");
  EXPECT_EQ(rate_text(119.88), "120000/1001");
  EXPECT_THROW(frame_rate(0), Error);
  EXPECT_THROW(frame_rate(1e-12), Error);
  EXPECT_THROW(frame_rate(NAN), Error);
}

TEST(Mp4, IsWhatFfprobeCallsAPlainBt709Video) {
  const TempDir dir;
  render(options(dir / "out.mp4", 25, 12));
  EXPECT_EQ(dir.entries(), (std::set<std::string>{"out.mp4"}));
  const json file = probe(dir / "out.mp4");
  ASSERT_EQ(file["streams"].size(), 1u);
  const json& stream = file["streams"][0];
  EXPECT_EQ(stream["codec_name"], "h264");
  EXPECT_EQ(stream["codec_tag_string"], "avc1");
  EXPECT_EQ(stream["pix_fmt"], "yuv420p");
  EXPECT_EQ(stream["width"], kWidth);
  EXPECT_EQ(stream["height"], kHeight);
  EXPECT_EQ(stream["color_space"], "bt709");
  EXPECT_EQ(stream["color_transfer"], "bt709");
  EXPECT_EQ(stream["color_primaries"], "bt709");
  EXPECT_EQ(stream["color_range"], "tv");
  EXPECT_EQ(stream["chroma_location"], "left");
  EXPECT_EQ(stream["nb_frames"], "25");
  EXPECT_EQ(stream["nb_read_frames"], "25");
  EXPECT_EQ(stream["r_frame_rate"], "12/1");
  EXPECT_EQ(stream["avg_frame_rate"], "12/1");
  EXPECT_EQ(stream["start_time"], "0.000000");
  EXPECT_FALSE(stream["tags"].contains("encoder"));
  EXPECT_FALSE(file["format"]["tags"].contains("encoder"));
  EXPECT_FALSE(file["format"]["tags"].contains("creation_time"));
}

TEST(Mp4, KeepsFramesRateAndDurationExactly) {
  struct Case {
    int frames;
    double fps;
    const char* rate;
    double seconds;
  };
  const TempDir dir;
  for (const Case& c :
       {Case{14, 7, "7/1", 2.0}, Case{25, 12.5, "25/2", 2.0}, Case{1, 7, "7/1", 1 / 7.0},
        Case{2, 30, "30/1", 2 / 30.0}, Case{24, 23.976, "24000/1001", 1.001},
        Case{30, 29.97, "30000/1001", 1.001}, Case{3, 0.1, "1/10", 30.0},
        Case{50, 1000, "1000/1", 0.05}, Case{5, 23.9, "239/10", 50 / 239.0}}) {
    OutputOptions output = options(dir / "out.mp4", c.frames, c.fps);
    output.overwrite = true;
    render(output);
    const json file = probe(output.path);
    const json& stream = file["streams"][0];
    EXPECT_EQ(stream["nb_read_frames"], std::to_string(c.frames)) << c.rate;
    EXPECT_EQ(stream["avg_frame_rate"], c.rate);
    EXPECT_NEAR(std::stod(stream["duration"].get<std::string>()), c.seconds, 1e-6) << c.rate;
    EXPECT_NEAR(std::stod(file["format"]["duration"].get<std::string>()), c.seconds, 1e-3);
  }
}

TEST(Mp4, PutsTheIndexBeforeTheData) {
  const TempDir dir;
  render(options(dir / "out.mp4", 3, 7));
  const auto bytes = read_bytes(dir / "out.mp4");
  const std::string text(bytes.begin(), bytes.end());
  ASSERT_NE(text.find("moov"), std::string::npos);
  EXPECT_LT(text.find("moov"), text.find("mdat"));
}

TEST(Mp4, DecodesToTheColoursThatWentIn) {
  const TempDir dir;
  render(options(dir / "out.mp4", 4, 7));
  const std::string frames = decoded(dir / "out.mp4");
  ASSERT_EQ(frames.size(), static_cast<std::size_t>(4 * kWidth * kHeight * 3));
  for (int frame = 0; frame < 4; ++frame) {
    for (int field = 0; field < 8; ++field) {
      const int x = field % 4 * 32 + 16, y = field / 4 * 32 + 16;
      for (int channel = 0; channel < 3; ++channel) {
        const auto at =
            static_cast<std::size_t>(((frame * kHeight + y) * kWidth + x) * 3 + channel);
        EXPECT_NEAR(static_cast<std::uint8_t>(frames[at]), kColours[(field + frame) % 8][channel],
                    3)
            << "frame " << frame << " field " << field << " channel " << channel;
      }
    }
  }
}

TEST(Mp4, IsTheSameBytesEveryTime) {
  const TempDir dir;
  render(options(dir / "a.mp4", 10, 7));
  render(options(dir / "b.mp4", 10, 7));
  EXPECT_EQ(read_bytes(dir / "a.mp4"), read_bytes(dir / "b.mp4"));
}

TEST(Mp4, LeavesNothingWhenDropped) {
  const TempDir dir;
  {
    const auto sink = open_output(options(dir / "out.mp4", 100, 7));
    for (int frame = 0; frame < 60; ++frame) sink->write(fields(frame));
    EXPECT_EQ(dir.entries().count("out.mp4"), 0u);
  }
  EXPECT_TRUE(dir.entries().empty());
}

TEST(Mp4, RefusesTheWrongNumberOrSizeOfFrames) {
  const TempDir dir;
  {
    const auto sink = open_output(options(dir / "out.mp4", 2, 7));
    EXPECT_THROW(sink->write(std::vector<std::uint8_t>(5)), Error);
    sink->write(fields(0));
    EXPECT_THROW(sink->finish(), Error);
    sink->write(fields(1));
    EXPECT_THROW(sink->write(fields(2)), Error);
  }
  EXPECT_TRUE(dir.entries().empty());
}

TEST(Mp4, DoesNotReplaceAFileThatAppearedMeanwhile) {
  const TempDir dir;
  const auto sink = open_output(options(dir / "out.mp4", 1, 7));
  sink->write(fields(0));
  write_bytes(dir / "out.mp4", {1, 2, 3});
  EXPECT_THROW(sink->finish(), Error);
  EXPECT_EQ(read_bytes(dir / "out.mp4"), (std::vector<std::uint8_t>{1, 2, 3}));
}

TEST(Mp4, WorksUnderAwkwardNames) {
  const TempDir dir;
  std::filesystem::create_directory(dir / "http:");
  for (const std::string name : {"a b'c.mp4", "50%.MP4", "-x.mp4", "http:/x.mp4", "ü%d.mp4"}) {
    render(options(dir / name, 1, 7));
    EXPECT_GT(std::filesystem::file_size(dir / name), 500u) << name;
  }
}

/// Files of this process may grow to a few bytes only: what a full disk looks like to a writer.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit limit{bytes, old_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &old_);
    signal(SIGXFSZ, handler_);
  }

 private:
  rlimit old_{};
  sighandler_t handler_;
};

TEST(Mp4, ReportsAFailedWriteAndLeavesNothing) {
  for (const rlim_t limit : {0, 100, 3000}) {
    const TempDir dir;
    ErrorKind kind = ErrorKind::internal;
    try {
      const FileSizeLimit full(limit);
      render(options(dir / "out.mp4", 25, 7));
    } catch (const Error& error) {
      kind = error.kind();
      EXPECT_THAT(error.what(), testing::HasSubstr("out.mp4: File too large"));
      EXPECT_THAT(error.what(), testing::StartsWith("cannot write "));
    }
    EXPECT_EQ(kind, ErrorKind::output) << limit;
    EXPECT_TRUE(dir.entries().empty());
  }
}

TEST(Outputs, ReportAFailedWriteAndLeaveNothing) {
  for (const std::string name : {"frames/", "f_%d.png", "f_%d.jpg", "x.mov", "x.mkv", "x.webm",
                                 "x.gif", "x.webp", "x.y4m"}) {
    SCOPED_TRACE(name);
    const TempDir dir;
    ErrorKind kind = ErrorKind::internal;
    try {
      const FileSizeLimit full(50);
      render(options(dir / name, 2, 7));
    } catch (const Error& error) {
      kind = error.kind();
      EXPECT_THAT(error.what(), testing::StartsWith("cannot write "));
    }
    EXPECT_EQ(kind, ErrorKind::output);
    EXPECT_TRUE(dir.entries().empty());
  }
}

}  // namespace
}  // namespace svd::media
