#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "media/frame_writer.h"
#include "media/output_name.h"
#include "svd/error.h"
#include "unit/media/support.h"

namespace svd::media {
namespace {

using testing::HasSubstr;

namespace fs = std::filesystem;

std::string name_refusal(const std::string& name) {
  return refusal_of([&] { output_format(name); });
}

std::string place_refusal(const fs::path& path, bool overwrite = false) {
  return refusal_of([&] { check_output(path, overwrite); });
}

std::vector<std::uint8_t> shade(int value) {
  return std::vector<std::uint8_t>(64 * 64 * 3, static_cast<std::uint8_t>(value));
}

void render(const fs::path& path, int frames, int first_shade = 0, bool overwrite = false) {
  OutputOptions options;
  options.path = path;
  options.width = options.height = 64;
  options.fps = 7;
  options.frames = frames;
  options.overwrite = overwrite;
  const auto sink = open_output(options);
  for (int frame = 0; frame < frames; ++frame) sink->write(shade(first_shade + frame));
  sink->finish();
}

int shade_of(const fs::path& png) {
  const std::string rgb = decoded(png);
  EXPECT_EQ(rgb.size(), 64u * 64 * 3) << png;
  return rgb.empty() ? -1 : static_cast<std::uint8_t>(rgb[1000]);
}

TEST(NumberedName, ReadsOneNumber) {
  EXPECT_EQ(parse_numbered_name("f_%04d.png").value().file(7), "f_0007.png");
  EXPECT_EQ(parse_numbered_name("%d.png").value().file(12345), "12345.png");
  EXPECT_EQ(parse_numbered_name("%02dx.png").value().file(123), "123x.png");
  EXPECT_EQ(parse_numbered_name("100%%_%d.png").value().file(0), "100%_0.png");
  for (const char* wrong : {"f.png", "%", "%s.png", "%4d.png", "%00d.png", "%010d.png", "%d_%d.png",
                            "%%d.png", "%-3d.png", "%0d.png", "%05", "%n%d.png"}) {
    EXPECT_FALSE(parse_numbered_name(wrong)) << wrong;
  }
}

TEST(NumberedName, MatchesItsOwnFilesOnly) {
  const NumberedName name{"f_", 3, ".png"};
  for (const char* own : {"f_000.png", "f_012.png", "f_1234.png"})
    EXPECT_TRUE(name.matches(own)) << own;
  for (const char* other : {"f_.png", "f_12.png", "f_0123.png", "f_12a.png", "g_012.png",
                            "f_012.jpg", "f_", ".png", ""}) {
    EXPECT_FALSE(name.matches(other)) << other;
  }
}

TEST(OutputFormat, FollowsTheName) {
  EXPECT_EQ(output_format("out.mp4"), "mp4");
  EXPECT_EQ(output_format("dir.png/OUT.MP4"), "mp4");
  EXPECT_EQ(output_format("frames/"), "png");
  EXPECT_EQ(output_format("a/b.mp4/"), "png");
  EXPECT_EQ(output_format("a/f_%04d.png"), "png");
}

TEST(OutputFormat, RefusesOtherNamesAndSaysWhichItTakes) {
  for (const char* name : {"out.avi", "out", "out.mp", ".mp4", "", "/", "./", "a/../", "out.txt"}) {
    EXPECT_THAT(name_refusal(name), testing::StartsWith("2 ")) << name;
    EXPECT_THAT(name_refusal(name), HasSubstr(".mp4")) << name;
    EXPECT_THAT(name_refusal(name), HasSubstr("%04d.png")) << name;
  }
  EXPECT_THAT(name_refusal("cat.png"), HasSubstr("cat_%04d.png"));
  EXPECT_THAT(name_refusal("cat_%s.png"), testing::StartsWith("2 "));
  EXPECT_THAT(name_refusal("dir_%d/x.png"), testing::StartsWith("2 "));
  const TempDir dir;
  EXPECT_THAT(name_refusal(dir.path().string()), HasSubstr(dir.path().string() + "/ for a folder"));
}

TEST(CheckOutput, LooksAtTheParent) {
  const TempDir dir;
  write_bytes(dir / "file", {1});
  for (const char* name : {"out.mp4", "frames/", "f_%d.png"}) {
    EXPECT_EQ(place_refusal(dir / name), "") << name;
    EXPECT_THAT(place_refusal(dir / "missing" / name), HasSubstr("missing does not exist"));
    EXPECT_THAT(place_refusal(dir / "file" / name), HasSubstr("file is not a folder"));
    EXPECT_THAT(place_refusal(dir / "file" / "deeper" / name), HasSubstr("is not a folder"));
    EXPECT_THAT(place_refusal(fs::path("/proc") / name), HasSubstr("/proc"));
  }
  EXPECT_EQ(place_refusal("surely_new.mp4"), "");
}

TEST(CheckOutput, LooksAtWhatExists) {
  const TempDir dir;
  write_bytes(dir / "out.mp4", {1});
  write_bytes(dir / "f_0003.png", {1});
  fs::create_directory(dir / "dir.mp4");
  fs::create_symlink("nowhere", dir / "link.mp4");
  mkfifo((dir / "pipe.mp4").c_str(), 0600);
  EXPECT_THAT(place_refusal(dir / "out.mp4"), HasSubstr("--overwrite"));
  EXPECT_EQ(place_refusal(dir / "out.mp4", true), "");
  EXPECT_THAT(place_refusal(dir / "link.mp4"), HasSubstr("exists"));
  EXPECT_THAT(place_refusal(dir / "dir.mp4", true), HasSubstr("is a folder"));
  EXPECT_THAT(place_refusal(dir / "pipe.mp4", true), HasSubstr("regular"));
  EXPECT_THAT(place_refusal(dir / "f_%04d.png"), HasSubstr("f_0003.png"));
  EXPECT_EQ(place_refusal(dir / "f_%04d.png", true), "");
  EXPECT_EQ(place_refusal(dir / "g_%04d.png"), "");
  EXPECT_THAT(place_refusal(dir / "out.mp4" / ""), HasSubstr("not a folder"));
}

TEST(CheckOutput, ReplacesFoldersOfFramesOnly) {
  const TempDir dir;
  fs::create_directory(dir / "frames");
  const fs::path frames = dir / "frames/";
  EXPECT_EQ(place_refusal(frames), "");
  write_bytes(dir / "frames/00000.png", {1});
  EXPECT_THAT(place_refusal(frames), HasSubstr("not empty"));
  EXPECT_EQ(place_refusal(frames, true), "");
  write_bytes(dir / "frames/notes.txt", {1});
  EXPECT_THAT(place_refusal(frames, true), HasSubstr("notes.txt"));
}

TEST(PngFolder, AppearsAsAWhole) {
  const TempDir dir;
  render(dir / "frames/", 3, 10);
  EXPECT_EQ(dir.entries(), (std::set<std::string>{"frames"}));
  EXPECT_EQ(dir.entries("frames"), (std::set<std::string>{"00000.png", "00001.png", "00002.png"}));
  for (int frame = 0; frame < 3; ++frame)
    EXPECT_EQ(shade_of(dir / ("frames/0000" + std::to_string(frame) + ".png")), 10 + frame);
}

TEST(PngFolder, TakesTheOrderOfRgb) {
  const TempDir dir;
  OutputOptions options;
  options.path = dir / "frames/";
  options.width = 2;
  options.height = options.frames = 1;
  options.fps = 7;
  const auto sink = open_output(options);
  sink->write(std::vector<std::uint8_t>{200, 100, 50, 1, 2, 3});
  sink->finish();
  EXPECT_EQ(decoded(dir / "frames/00000.png"), "\xc8\x64\x32\x01\x02\x03");
}

TEST(PngFolder, ReplacesAnEmptyAndAnOlderFolder) {
  const TempDir dir;
  fs::create_directory(dir / "frames");
  render(dir / "frames/", 5, 10);
  render(dir / "frames/", 2, 100, true);
  EXPECT_EQ(dir.entries(), (std::set<std::string>{"frames"}));
  EXPECT_EQ(dir.entries("frames"), (std::set<std::string>{"00000.png", "00001.png"}));
  EXPECT_EQ(shade_of(dir / "frames/00001.png"), 101);
}

TEST(PngFolder, KeepsWhatAppearedMeanwhile) {
  for (const bool overwrite : {false, true}) {
    const TempDir dir;
    OutputOptions options;
    options.path = dir / "frames/";
    options.width = options.height = 64;
    options.frames = 1;
    options.fps = 7;
    options.overwrite = overwrite;
    {
      const auto sink = open_output(options);
      sink->write(shade(1));
      fs::create_directory(dir / "frames");
      write_bytes(dir / "frames/notes.txt", {1, 2});
      EXPECT_THAT(refusal_of([&] { sink->finish(); }), testing::StartsWith("6 "));
    }
    EXPECT_EQ(dir.entries(), (std::set<std::string>{"frames"}));
    EXPECT_EQ(dir.entries("frames"), (std::set<std::string>{"notes.txt"}));
  }
}

TEST(PngPattern, WritesNumberedFiles) {
  const TempDir dir;
  write_bytes(dir / "other.txt", {1});
  render(dir / "f_%02d.png", 3, 20);
  EXPECT_EQ(dir.entries(),
            (std::set<std::string>{"f_00.png", "f_01.png", "f_02.png", "other.txt"}));
  EXPECT_EQ(shade_of(dir / "f_02.png"), 22);
  render(dir / "f_%02d.png", 2, 90, true);
  EXPECT_EQ(shade_of(dir / "f_01.png"), 91);
}

TEST(PngPattern, TakesBackItsFilesWhenANameIsTaken) {
  const TempDir dir;
  OutputOptions options;
  options.path = dir / "f_%d.png";
  options.width = options.height = 64;
  options.frames = 3;
  options.fps = 7;
  {
    const auto sink = open_output(options);
    for (int frame = 0; frame < 3; ++frame) sink->write(shade(frame));
    write_bytes(dir / "f_1.png", {1, 2});
    EXPECT_THAT(refusal_of([&] { sink->finish(); }), HasSubstr("f_1.png exists"));
  }
  EXPECT_EQ(dir.entries(), (std::set<std::string>{"f_1.png"}));
  EXPECT_EQ(read_bytes(dir / "f_1.png").size(), 2u);
}

TEST(Png, LeavesNothingWhenDropped) {
  for (const char* name : {"frames/", "f_%d.png"}) {
    const TempDir dir;
    OutputOptions options;
    options.path = dir / name;
    options.width = options.height = 64;
    options.frames = 3;
    options.fps = 7;
    open_output(options)->write(shade(1));
    EXPECT_TRUE(dir.entries().empty()) << name;
  }
}

}  // namespace
}  // namespace svd::media
