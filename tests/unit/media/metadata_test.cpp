#include "media/metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/media/clips.h"

namespace svd::media {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

namespace fs = std::filesystem;

const std::string kText = R"({"prompt": "a \"cat\"; ümläut = 猫 \\ #1", "seed": 42})";

OutputOptions described(const fs::path& path, int frames = 2) {
  OutputOptions options = clip_options(path, 64, 48, frames);
  options.metadata = kText;
  return options;
}

std::string text_of(const fs::path& path) {
  const auto bytes = read_bytes(path);
  return {bytes.begin(), bytes.end()};
}

TEST(Metadata, IsTheCommentOfAVideo) {
  for (const char* name : {"out.mp4", "out.mov", "out.mkv", "out.webm"}) {
    SCOPED_TRACE(name);
    const TempDir dir;
    write_clip(described(dir / name));
    EXPECT_EQ(dir.entries(), (std::set<std::string>{name}));
    const auto tags = probe_clip(dir / name)["format"]["tags"];
    EXPECT_EQ(tags.contains("comment") ? tags["comment"] : tags["COMMENT"], kText);
    EXPECT_EQ(read_metadata(dir / name), kText);
  }
}

TEST(Metadata, OfManyWordsFitsInAVideo) {
  for (const char* name : {"out.mp4", "out.mov", "out.mkv"}) {
    SCOPED_TRACE(name);
    const TempDir dir;
    OutputOptions options = described(dir / name);
    options.metadata = std::string(50'000, 'x');
    write_clip(options);
    EXPECT_EQ(read_metadata(dir / name), options.metadata);
  }
}

TEST(Metadata, IsAChunkOfTheFirstPng) {
  const TempDir dir;
  write_clip(described(dir / "f_%02d.png"));
  write_clip(described(dir / "frames/"));
  EXPECT_EQ(dir.entries(), (std::set<std::string>{"f_00.png", "f_01.png", "frames"}));
  for (const char* name : {"f_00.png", "f_%02d.png", "frames", "frames/", "frames/00000.png"})
    EXPECT_EQ(read_metadata(dir / name), kText) << name;
  EXPECT_EQ(read_metadata(dir / "f_01.png"), std::nullopt);
  // Another reader checks the chunk and its sum.
  const std::string script = "python3 - '" + (dir / "f_00.png").string() + R"(' <<'END'
import struct, sys, zlib
data = open(sys.argv[1], 'rb').read()
at, names = 8, []
while at < len(data):
    size, = struct.unpack('>I', data[at:at + 4])
    body = data[at + 4:at + 8 + size]
    assert struct.unpack('>I', data[at + 8 + size:at + 12 + size])[0] == zlib.crc32(body)
    names.append(body[:4].decode())
    if body[:4] == b'iTXt':
        keyword, rest = body[4:].split(b'\0', 1)
        assert keyword == b'Comment' and rest[:4] == b'\0\0\0\0'
        sys.stdout.write(rest[4:].decode('utf-8'))
    at += 12 + size
assert names[0] == 'IHDR' and names[1] == 'iTXt' and names[-1] == 'IEND'
END)";
  EXPECT_EQ(output_of(script), kText);
  EXPECT_EQ(decoded(dir / "f_00.png").size(), 64u * 48 * 3);
}

TEST(Metadata, OfOtherFormatsIsBesideThem) {
  const TempDir dir;
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"a.gif", "a.json"},
      {"b.webp", "b.json"},
      {"c.y4m", "c.json"},
      {"d_%03d.jpg", "d.json"},
      {"e%d.tif", "e.json"},
      {"%d.jpg", "frames.json"},
      {"x.y-_.%02d.tiff", "x.y.json"},
  };
  for (const auto& [name, sidecar] : cases) {
    SCOPED_TRACE(name);
    write_clip(described(dir / name));
    EXPECT_EQ(text_of(dir / sidecar), kText + "\n");
    EXPECT_EQ(read_metadata(dir / name), kText);
  }
  EXPECT_EQ(read_metadata(dir / "d_001.jpg"), kText);
  EXPECT_EQ(read_metadata(dir / "1.jpg"), kText);
}

TEST(Metadata, OfAFolderOfJpegsIsBesideTheFolder) {
  const TempDir dir;
  OutputOptions options = described(dir / "clip/");
  options.encoding.format = "jpeg";
  write_clip(options);
  EXPECT_EQ(dir.entries(), (std::set<std::string>{"clip", "clip.json"}));
  EXPECT_EQ(dir.entries("clip"), (std::set<std::string>{"00000.jpg", "00001.jpg"}));
  EXPECT_EQ(read_metadata(dir / "clip"), kText);
  EXPECT_EQ(read_metadata(dir / "clip/"), kText);
}

TEST(Metadata, GoesToASidecarTooWhenAsked) {
  const TempDir dir;
  OutputOptions options = described(dir / "out.mp4");
  options.encoding.sidecar = true;
  write_clip(options);
  EXPECT_EQ(dir.entries(), (std::set<std::string>{"out.mp4", "out.json"}));
  EXPECT_EQ(text_of(dir / "out.json"), kText + "\n");
}

TEST(Metadata, MakesNoSidecarWhenThereIsNone) {
  const TempDir dir;
  write_clip(clip_options(dir / "a.gif"));
  EXPECT_EQ(dir.entries(), (std::set<std::string>{"a.gif"}));
  EXPECT_EQ(read_metadata(dir / "a.gif"), std::nullopt);
}

TEST(Metadata, SidecarIsNeverReplacedUnasked) {
  const TempDir dir;
  OutputOptions options = described(dir / "a.gif");
  write_bytes(dir / "a.json", {1});
  EXPECT_THAT(refusal_of([&] { check_output(options); }), HasSubstr("a.json exists"));
  EXPECT_THAT(refusal_of([&] { open_output(options); }), HasSubstr("a.json exists"));
  options.overwrite = true;
  write_clip(options);
  EXPECT_EQ(text_of(dir / "a.json"), kText + "\n");
}

TEST(Metadata, SidecarGoesWhenTheFileCannotAppear) {
  for (const char* name : {"a.gif", "a_%d.jpg"}) {
    const TempDir dir;
    const OutputOptions options = described(dir / name);
    {
      const auto sink = open_output(options);
      EXPECT_EQ(dir.entries().count("a.json"), 0u);
      for (int frame = 0; frame < 2; ++frame) sink->write(pattern_frame(options, 8, frame));
      write_bytes(dir / "a.gif", {1});
      write_bytes(dir / "a_1.jpg", {1});
      EXPECT_THAT(refusal_of([&] { sink->finish(); }), HasSubstr("exists"));
    }
    EXPECT_EQ(dir.entries(), (std::set<std::string>{"a.gif", "a_1.jpg"}));
  }
}

TEST(ReadMetadata, RefusesWhatItCannotRead) {
  const TempDir dir;
  EXPECT_THAT(refusal_of([&] { read_metadata(dir / "none.mp4"); }), StartsWith("3 "));
  EXPECT_THAT(refusal_of([&] { read_metadata(dir / "none.mp4"); }), HasSubstr("none.mp4"));
  write_clip(described(dir / "out.mp4"));
  auto bytes = read_bytes(dir / "out.mp4");
  bytes.resize(40);
  write_bytes(dir / "cut.mp4", bytes);
  EXPECT_THAT(refusal_of([&] { read_metadata(dir / "cut.mp4"); }), StartsWith("3 "));
  write_bytes(dir / "empty.mp4", {});
  EXPECT_EQ(read_metadata(dir / "empty.mp4"), std::nullopt);
  fs::create_directory(dir / "nothing");
  EXPECT_EQ(read_metadata(dir / "nothing"), std::nullopt);
}

TEST(ReadMetadata, TakesNoMoreThan16Megabytes) {
  const TempDir dir;
  write_bytes(dir / "a.gif", {1});
  write_bytes(dir / "a.json", std::vector<std::uint8_t>((16 << 20) + 1, 'x'));
  EXPECT_THAT(refusal_of([&] { read_metadata(dir / "a.gif"); }), HasSubstr("16 MB"));
}

}  // namespace
}  // namespace svd::media
