#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "media/resolve_encoding.h"
#include "unit/media/clips.h"

namespace svd::media {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

/// One frame after the other of an 8-bit clip.
std::vector<std::string> split(const std::string& all, const OutputOptions& options) {
  const std::size_t size = static_cast<std::size_t>(options.width) * options.height * 3;
  std::vector<std::string> frames;
  for (std::size_t at = 0; at + size <= all.size(); at += size)
    frames.push_back(all.substr(at, size));
  return frames;
}

OutputOptions lossless(const std::filesystem::path& path, int frames) {
  OutputOptions options = clip_options(path, 64, 48, frames);
  options.encoding.codec = "ffv1";
  return options;
}

TEST(Bounce, GoesBackToTheSecondFrame) {
  const TempDir dir;
  OutputOptions options = lossless(dir / "out.mkv", 5);
  options.encoding.loop = Loop::bounce;
  EXPECT_EQ(resolve_encoding(options).frames, 8);
  const auto in = split(write_clip(options), options);
  const auto out = split(decoded_as(options.path, 8), options);
  ASSERT_EQ(out.size(), 8u);
  for (std::size_t i = 0; i < 8; ++i) EXPECT_TRUE(out[i] == in[i < 5 ? i : 8 - i]) << i;
  EXPECT_EQ(probe_clip(options.path)["nb_read_frames"], "8");
}

TEST(Bounce, LeavesTwoFramesAsTheyAre) {
  for (const int frames : {1, 2}) {
    const TempDir dir;
    OutputOptions options = lossless(dir / "out.mkv", frames);
    options.encoding.loop = Loop::bounce;
    EXPECT_EQ(resolve_encoding(options).frames, frames);
    const std::string in = write_clip(options);
    EXPECT_TRUE(in == decoded_as(options.path, 8));
  }
}

TEST(Interpolation, KeepsTheFramesAndAddsThoseBetween) {
  const TempDir dir;
  for (const int frames : {2, 3, 6}) {
    SCOPED_TRACE(frames);
    OutputOptions options = lossless(dir / (std::to_string(frames) + ".mkv"), frames);
    options.encoding.interpolate = 3;
    const auto in = split(write_clip(options), options);
    const auto out = split(decoded_as(options.path, 8), options);
    ASSERT_EQ(static_cast<int>(out.size()), (frames - 1) * 3 + 1);
    for (std::size_t i = 0; i < in.size(); ++i) EXPECT_TRUE(out[3 * i] == in[i]) << i;
    // What lies between is nearer to both neighbours than these are to each other.
    for (std::size_t i = 0; i + 1 < out.size(); ++i) {
      EXPECT_FALSE(out[i] == out[i + 1]) << i;
      const std::size_t left = i / 3;
      EXPECT_GT(psnr(out[i], out[i + 1]), psnr(in[left], in[left + 1]) + 2) << i;
    }
    const auto stream = probe_clip(options.path);
    EXPECT_EQ(stream["r_frame_rate"], "21/1");
  }
}

TEST(Interpolation, LeavesOneFrameAlone) {
  const TempDir dir;
  OutputOptions options = lossless(dir / "out.mkv", 1);
  options.encoding.interpolate = 4;
  const std::string in = write_clip(options);
  EXPECT_TRUE(in == decoded_as(options.path, 8));
}

TEST(Interpolation, MultipliesTheRateExactly) {
  const TempDir dir;
  OutputOptions options = clip_options(dir / "out.mp4", 64, 48, 3, 23.976);
  options.encoding.interpolate = 8;
  const Encoding encoding = resolve_encoding(options);
  EXPECT_EQ(encoding.rate_num, 192000);
  EXPECT_EQ(encoding.rate_den, 1001);
  EXPECT_EQ(encoding.frames, 17);
  write_clip(options);
  EXPECT_EQ(probe_clip(options.path)["r_frame_rate"], "192000/1001");
}

TEST(Interpolation, ComesBeforeTheBounce) {
  const TempDir dir;
  OutputOptions options = lossless(dir / "out.mkv", 3);
  options.encoding.interpolate = 2;
  options.encoding.loop = Loop::bounce;
  write_clip(options);
  const auto out = split(decoded_as(options.path, 8), options);
  ASSERT_EQ(out.size(), 8u);  // (3 - 1) * 2 + 1 = 5, and 3 back
  EXPECT_TRUE(out[5] == out[3]);
  EXPECT_TRUE(out[7] == out[1]);
}

TEST(Interpolation, Keeps16BitsOfTheFramesThatArrived) {
  const TempDir dir;
  OutputOptions options = lossless(dir / "out.mkv", 2);
  options.encoding.bit_depth = 16;
  options.encoding.interpolate = 2;
  EXPECT_THAT(resolve_encoding(options).notices, testing::ElementsAre(HasSubstr("8 bits")));
  const std::string in = write_clip(options);
  const std::string out = decoded_as(options.path, 16);
  const std::size_t frame = in.size() / 2;
  ASSERT_EQ(out.size(), 3 * frame);
  EXPECT_TRUE(out.substr(0, frame) == in.substr(0, frame));
  EXPECT_TRUE(out.substr(2 * frame) == in.substr(frame));
}

TEST(Interpolation, RefusesNonsense) {
  for (const int times : {0, -1, 17}) {
    OutputOptions options = clip_options("new.mp4");
    options.encoding.interpolate = times;
    EXPECT_THAT(refusal_of([&] { resolve_encoding(options); }), StartsWith("2 ")) << times;
  }
}

TEST(ContactSheet, ShowsAllFramesInOrder) {
  const TempDir dir;
  OutputOptions options = clip_options(dir / "out.mp4", 512, 64, 5);
  options.contact_sheet = dir / "sheet.png";
  const auto sink = open_output(options);
  for (int frame = 0; frame < 5; ++frame)
    sink->write(
        std::vector<std::uint8_t>(512 * 64 * 3, static_cast<std::uint8_t>(40 * frame + 20)));
  EXPECT_EQ(dir.entries().count("sheet.png"), 0u);
  sink->finish();
  EXPECT_EQ(dir.entries(), (std::set<std::string>{"out.mp4", "sheet.png"}));
  const auto sheet = probe_clip(dir / "sheet.png");
  EXPECT_EQ(sheet["width"], 3 * 256);
  EXPECT_EQ(sheet["height"], 2 * 32);
  const std::string rgb = decoded(dir / "sheet.png");
  const int shades[6] = {20, 60, 100, 140, 180, 0};
  for (int cell = 0; cell < 6; ++cell) {
    const std::size_t x = cell % 3 * 256 + 128, y = cell / 3 * 32 + 16;
    EXPECT_EQ(static_cast<std::uint8_t>(rgb.at((y * 768 + x) * 3)), shades[cell]) << cell;
  }
}

TEST(ContactSheet, IsAJpegOf16BitFramesToo) {
  const TempDir dir;
  OutputOptions options = clip_options(dir / "f_%d.png");
  options.encoding.bit_depth = 16;
  options.contact_sheet = dir / "sheet.jpg";
  write_clip(options);
  const auto sheet = probe_clip(dir / "sheet.jpg");
  EXPECT_EQ(sheet["codec_name"], "mjpeg");
  EXPECT_EQ(sheet["width"], 3 * 64);
}

TEST(ContactSheet, IsGoneWithTheClip) {
  const TempDir dir;
  OutputOptions options = clip_options(dir / "out.mp4");
  options.contact_sheet = dir / "sheet.png";
  open_output(options)->write(pattern_frame(options, 8, 0));
  EXPECT_TRUE(dir.entries().empty());
  {
    const auto sink = open_output(options);
    for (int frame = 0; frame < options.frames; ++frame)
      sink->write(pattern_frame(options, 8, frame));
    write_bytes(dir / "out.mp4", {1});
    EXPECT_THAT(refusal_of([&] { sink->finish(); }), HasSubstr("exists"));
  }
  EXPECT_EQ(dir.entries(), (std::set<std::string>{"out.mp4"}));
}

TEST(ContactSheet, IsCheckedEarly) {
  const TempDir dir;
  OutputOptions options = clip_options(dir / "out.mp4");
  options.contact_sheet = dir / "sheet.gif";
  EXPECT_THAT(refusal_of([&] { check_output(options); }), StartsWith("2 "));
  options.contact_sheet = dir / "sheet.png";
  EXPECT_EQ(refusal_of([&] { check_output(options); }), "");
  write_bytes(dir / "sheet.png", {1});
  EXPECT_THAT(refusal_of([&] { check_output(options); }), HasSubstr("sheet.png exists"));
  options.overwrite = true;
  EXPECT_EQ(refusal_of([&] { check_output(options); }), "");
}

}  // namespace
}  // namespace svd::media
