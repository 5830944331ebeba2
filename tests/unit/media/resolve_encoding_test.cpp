#include "media/resolve_encoding.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>

#include "media/formats.h"
#include "media/output_name.h"
#include "unit/media/clips.h"

namespace svd::media {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

OutputOptions asking(const std::string& name, const EncodingOptions& encoding) {
  OutputOptions options = clip_options(name);
  options.encoding = encoding;
  return options;
}

std::string refused(const std::string& name, const EncodingOptions& encoding) {
  return refusal_of([&] { resolve_encoding(asking(name, encoding)); });
}

TEST(ResolveEncoding, SaysAllThatIsChosen) {
  const Encoding mp4 = resolve_encoding(clip_options("x.mp4", 64, 48, 6, 23.976));
  EXPECT_EQ(mp4.format, "mp4");
  EXPECT_EQ(mp4.codec, "h264");
  EXPECT_EQ(mp4.encoder, "libx264");
  EXPECT_EQ(mp4.pixel_format, "yuv420p");
  EXPECT_EQ(mp4.bit_depth, 8);
  EXPECT_EQ(mp4.crf, 17);
  EXPECT_EQ(mp4.quality, std::nullopt);
  EXPECT_EQ(mp4.frames, 6);
  EXPECT_EQ(mp4.rate_num, 24000);
  EXPECT_EQ(mp4.rate_den, 1001);
  EXPECT_THAT(mp4.notices, IsEmpty());
  const Encoding jpeg = resolve_encoding(clip_options("x_%d.jpg"));
  EXPECT_EQ(jpeg.format, "jpeg");
  EXPECT_EQ(jpeg.codec, "jpeg");
  EXPECT_EQ(jpeg.encoder, "");
  EXPECT_EQ(jpeg.quality, 95);
}

TEST(ResolveEncoding, TakesNamesOfEncodersAndOtherNamesOfCodecs) {
  for (const char* name : {"h265", "hevc", "x265", "libx265"})
    EXPECT_EQ(resolve_encoding(asking("x.mkv", {.codec = name})).encoder, "libx265") << name;
  EXPECT_EQ(resolve_encoding(asking("x.mkv", {.codec = "libaom-av1"})).encoder, "libaom-av1");
  EXPECT_EQ(resolve_encoding(asking("x.bin", {.format = "WebM"})).format, "webm");
  EXPECT_EQ(resolve_encoding(asking("x/", {.format = "tif"})).format, "tiff");
}

TEST(ResolveEncoding, PrefersTheFasterAv1EncoderWhereItTakesTheSize) {
  OutputOptions options = asking("x.mp4", {.codec = "av1"});
  EXPECT_EQ(resolve_encoding(options).encoder, "libaom-av1");  // less than 64 pixels
  options.width = options.height = 64;
  EXPECT_EQ(resolve_encoding(options).encoder, "libsvtav1");
}

TEST(ResolveEncoding, FallsBackToSoftware) {
  for (const auto& [asked, got] : std::vector<std::pair<std::string, std::string>>{
           {"h264_nvenc", "libx264"}, {"hevc_nvenc", "libx265"}, {"av1_nvenc", "libaom-av1"}}) {
    const Encoding encoding = resolve_encoding(asking("x.mp4", {.codec = asked}));
    EXPECT_EQ(encoding.encoder, got);
    EXPECT_TRUE(encoding.crf.has_value());
    EXPECT_THAT(encoding.notices, ElementsAre(HasSubstr(asked + " cannot be used here")));
  }
}

TEST(ResolveEncoding, ChecksPixelFormats) {
  EXPECT_EQ(resolve_encoding(asking("x.mp4", {.pixel_format = "yuv444p"})).pixel_format, "yuv444p");
  const Encoding ten = resolve_encoding(asking("x.mp4", {.pixel_format = "yuv444p10"}));
  EXPECT_EQ(ten.bit_depth, 10);
  EXPECT_EQ(ten.input_bit_depth(), 16);
  EXPECT_THAT(refused("x.mp4", {.pixel_format = "yuv444"}), HasSubstr("did you mean yuv444p?"));
  EXPECT_THAT(refused("x.mp4", {.pixel_format = "bgr0"}), HasSubstr("yuv420p"));
  EXPECT_THAT(refused("x.mp4", {.pixel_format = "yuvj420p"}), StartsWith("2 "));
  EXPECT_THAT(refused("x.mp4", {.pixel_format = "yuv420p", .bit_depth = 10}),
              HasSubstr("8 bits a channel, not 10"));
  EXPECT_THAT(refused("x_%d.png", {.pixel_format = "rgb24"}), StartsWith("2 "));
  EXPECT_THAT(refused("x.webp", {.pixel_format = "yuv420p"}), HasSubstr("bgra"));
}

TEST(ResolveEncoding, RefusesWhatCannotBe) {
  EXPECT_THAT(refused("x.mp4", {.codec = "vp9"}), HasSubstr("mp4 does not hold vp9"));
  EXPECT_THAT(refused("x.mp4", {.codec = "vp9"}), HasSubstr("h264, h265, av1"));
  EXPECT_THAT(refused("x.mp4", {.codec = "libvpx-vp9"}), HasSubstr("does not hold vp9"));
  EXPECT_THAT(refused("x.gif", {.codec = "h264"}), HasSubstr("gif holds gif"));
  EXPECT_THAT(refused("x.mp4", {.codec = "h246"}), HasSubstr("did you mean h264?"));
  EXPECT_THAT(refused("x.mp4", {.codec = "mpeg2video"}), HasSubstr("unknown codec"));
  EXPECT_THAT(refused("x.mp4", {.format = "mkw"}), HasSubstr("did you mean mkv?"));
  EXPECT_THAT(refused("x/", {.format = "mp4"}), HasSubstr("not a folder"));
  EXPECT_THAT(refused("x.mp4", {.format = "png"}), HasSubstr("exactly one number"));
  EXPECT_THAT(refused("x.gif", {.crf = 20}), HasSubstr("gif has no crf"));
  EXPECT_THAT(refused("x.webp", {.crf = 20}), HasSubstr("quality"));
  EXPECT_THAT(refused("x.mkv", {.codec = "ffv1", .crf = 20}), HasSubstr("ffv1 has no crf"));
  EXPECT_THAT(refused("x.mp4", {.crf = 52}), HasSubstr("51"));
  EXPECT_THAT(refused("x.mp4", {.crf = -1}), StartsWith("2 "));
  EXPECT_THAT(refused("x.mp4", {.quality = 90}), HasSubstr("it has a crf"));
  EXPECT_THAT(refused("x_%d.png", {.quality = 90}), HasSubstr("png has no quality"));
  EXPECT_THAT(refused("x.webp", {.quality = 101}), HasSubstr("100"));
  EXPECT_THAT(refused("x.mp4", {.bit_depth = 16}), HasSubstr("it has 8, 10"));
  EXPECT_THAT(refused("x.gif", {.bit_depth = 10}), HasSubstr("gif has no 10 bits"));
  EXPECT_THAT(refused("x.mov", {.codec = "prores", .bit_depth = 8}), HasSubstr("it has 10"));
  EXPECT_THAT(refused("x.mp4", {.codec = "libsvtav1"}), HasSubstr("64x48"));  // 64 at least
  OutputOptions fast = clip_options("x.gif");
  fast.fps = 51;
  EXPECT_THAT(refusal_of([&] { resolve_encoding(fast); }), HasSubstr("no more than 50"));
  fast.fps = 50;
  EXPECT_THAT(resolve_encoding(fast).notices, testing::IsEmpty());
  fast.encoding.interpolate = 2;
  EXPECT_THAT(refusal_of([&] { resolve_encoding(fast); }), HasSubstr("no more than 50"));
  OutputOptions matroska = clip_options("x.mkv");
  matroska.fps = 1000;
  EXPECT_THAT(refusal_of([&] { resolve_encoding(matroska); }), HasSubstr("no more than 500"));
}

TEST(ResolveEncoding, CrfAndQualityChangeTheSize) {
  const TempDir dir;
  const auto size = [&](const char* name, const EncodingOptions& encoding) {
    OutputOptions options = clip_options(dir / name);
    options.encoding = encoding;
    options.overwrite = true;
    write_clip(options);
    const auto numbered = parse_numbered_name(name);
    return std::filesystem::file_size(dir / (numbered ? numbered->file(0) : name));
  };
  for (const char* codec : {"h264", "h265", "av1"}) {
    EXPECT_GT(size("x.mp4", {.codec = codec, .crf = 5}), size("x.mp4", {.codec = codec, .crf = 50}))
        << codec;
  }
  EXPECT_GT(size("x.webm", {.crf = 5}), size("x.webm", {.crf = 60}));
  EXPECT_GT(size("x.webp", {.quality = 100}), size("x.webp", {.quality = 10}));
  EXPECT_GT(size("x_%d.jpg", {.quality = 100}), size("x_%d.jpg", {.quality = 10}));
}

TEST(ResolveEncoding, IsQuickAndTouchesNoFile) {
  const TempDir dir;
  for (const char* codec : {"h264", "h265", "av1"}) {
    OutputOptions options = clip_options(dir / "x.mp4", 1024, 576, 25);
    options.encoding.codec = codec;
    const auto start = std::chrono::steady_clock::now();
    resolve_encoding(options);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    EXPECT_LT(seconds.count(), 2.0) << codec;
    RecordProperty(codec, std::to_string(seconds.count()));
  }
  EXPECT_TRUE(dir.entries().empty());
}

TEST(Outputs, LeaveNothingWhenDropped) {
  for (const auto& [name, codec] :
       std::vector<std::pair<std::string, std::string>>{{"x.mp4", "h264"},
                                                        {"x.mp4", "h265"},
                                                        {"x.mp4", "av1"},
                                                        {"x.webm", "vp9"},
                                                        {"x.gif", "gif"},
                                                        {"x.webp", "webp"},
                                                        {"x.y4m", "rawvideo"},
                                                        {"x_%d.jpg", "jpeg"}}) {
    for (const int frames : {0, 3}) {
      const TempDir dir;
      OutputOptions options = clip_options(dir / name, 64, 64, 6);
      options.encoding.codec = codec;
      options.metadata = "{}";
      options.encoding.sidecar = true;
      const auto sink = open_output(options);
      for (int frame = 0; frame < frames; ++frame) sink->write(pattern_frame(options, 8, frame));
      EXPECT_THROW(sink->finish(), Error);
      EXPECT_EQ(dir.entries().size(), 2u);  // hidden
    }
  }
}

/// Standard output goes to a file while one lives.
class Redirected {
 public:
  explicit Redirected(const std::filesystem::path& path) : saved_(dup(STDOUT_FILENO)) {
    fflush(stdout);
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    dup2(file, STDOUT_FILENO);
    close(file);
  }
  ~Redirected() {
    dup2(saved_, STDOUT_FILENO);
    close(saved_);
  }
  Redirected(const Redirected&) = delete;
  Redirected& operator=(const Redirected&) = delete;

 private:
  int saved_;
};

TEST(StandardOutput, GetsAStream) {
  EXPECT_EQ(refusal_of([] { check_output("-", false); }), "");
  EXPECT_EQ(output_format("-"), "mp4");
  for (const auto& [format, codec] :
       std::vector<std::pair<std::string, std::string>>{{"", "h264"},
                                                        {"mov", "h264"},
                                                        {"mkv", "h264"},
                                                        {"webm", "vp9"},
                                                        {"y4m", "rawvideo"},
                                                        {"gif", "gif"}}) {
    SCOPED_TRACE(format);
    const TempDir dir;
    OutputOptions options = clip_options("-", 64, 48, 20);
    if (!format.empty()) options.encoding.format = format;
    options.metadata = "{\"a\": 1}";
    std::string input;
    {
      // Opened for appending: nothing can be wound back.
      const Redirected redirected(dir / "out");
      input = write_clip(options);
    }
    EXPECT_EQ(dir.entries(), (std::set<std::string>{"out"}));
    const nlohmann::json stream = probe_clip(dir / "out");
    EXPECT_EQ(stream["codec_name"], codec);
    EXPECT_EQ(stream["nb_read_frames"], "20");
    if (format != "gif") {
      EXPECT_EQ(stream["r_frame_rate"], "7/1");
      EXPECT_EQ(stream.value("start_time", "0.000000"), "0.000000");
    }
    EXPECT_EQ(decoded_as(dir / "out", 8).size(), input.size());
  }
  const TempDir dir;
  const Redirected redirected(dir / "out");
  write_clip(clip_options("-"));
  const auto bytes = read_bytes(dir / "out");
  const std::string text(bytes.begin(), bytes.end());
  EXPECT_NE(text.find("moof"), std::string::npos);
  EXPECT_LT(text.find("moov"), text.find("moof"));
}

TEST(StandardOutput, SaysWhenItIsFull) {
  for (const char* format : {"mp4", "mkv", "y4m"}) {
    std::string text;
    {
      const Redirected redirected("/dev/full");
      OutputOptions options = clip_options("-");
      options.encoding.format = format;
      text = refusal_of([&] { write_clip(options); });
    }
    EXPECT_THAT(text, StartsWith("6 cannot write standard output: No space left on device"));
    EXPECT_THAT(text, HasSubstr("free some space"));
  }
}

TEST(StandardOutput, TakesNoPictures) {
  EXPECT_THAT(refused("-", {.format = "png"}), HasSubstr("standard output"));
  EXPECT_EQ(output_format("./-.mp4"), "mp4");
}

}  // namespace
}  // namespace svd::media
