#include "media/picture.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "media/download.h"
#include "media/input_name.h"
#include "svd/error.h"
#include "unit/media/local_server.h"
#include "unit/media/support.h"

namespace svd::media {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const std::filesystem::path kPictures = std::string(SVD_TEST_DATA) + "/golden/pictures";

std::string sha256sum(const std::filesystem::path& path) {
  return output_of("sha256sum <'" + path.string() + "'").substr(0, 64);
}

std::string refusal(const std::string& input, const InputOptions& options = {}) {
  return refusal_of([&] { read_picture(input, options); });
}

void copy_picture(const std::string& name, const std::filesystem::path& target) {
  std::filesystem::copy_file(kPictures / name, target);
}

TEST(ReadPicture, GivesPixelsNameAndHashOfAFile) {
  const Picture picture = read_picture(kPictures / "turn6.jpg");
  EXPECT_EQ(picture.image.rgb, read_image(kPictures / "turn6.jpg").rgb);
  EXPECT_EQ(picture.image.width, 24);
  EXPECT_EQ(picture.name, "turn6.jpg");
  EXPECT_EQ(picture.sha256, sha256sum(kPictures / "turn6.jpg"));
}

TEST(ReadPicture, ReadsStandardInput) {
  const int saved = dup(STDIN_FILENO);
  const int file = open((kPictures / "rgb.png").c_str(), O_RDONLY);
  dup2(file, STDIN_FILENO);
  close(file);
  const Picture picture = read_picture("-");
  dup2(saved, STDIN_FILENO);
  close(saved);
  EXPECT_EQ(picture.image.rgb, read_image(kPictures / "rgb.png").rgb);
  EXPECT_EQ(picture.name, "standard input");
  EXPECT_EQ(picture.sha256, sha256sum(kPictures / "rgb.png"));
}

TEST(ReadPicture, ObeysTheCapOnPixels) {
  const std::string path = kPictures / "rgb.png";  // 24x16
  EXPECT_EQ(read_picture(path, {.max_pixels = 384}).image.width, 24);
  EXPECT_THAT(refusal(path, {.max_pixels = 383}),
              AllOf(StartsWith("3 "), HasSubstr("24x16"), HasSubstr("more than 383"),
                    HasSubstr("--max-pixels")));
  for (const std::string name : {"still.gif", "raw.ppm", "420.jpg", "rgb.webp", "rgb.tif"})
    EXPECT_THAT(refusal(kPictures / name, {.max_pixels = 383}), HasSubstr("more than 383")) << name;
  EXPECT_THAT(refusal(path, {.max_pixels = 15}),
              AllOf(StartsWith("2 "), HasSubstr("--max-pixels")));
  EXPECT_THAT(refusal(path, {.max_pixels = kLargestMaxPixels + 1}), StartsWith("2 "));
}

TEST(ReadPicture, AcceptsMorePixelsThanUsualIfAsked) {
  const TempDir dir;
  std::ofstream file(dir / "large.pgm", std::ios::binary);
  file << "P5 20000 5001 255\n" << std::string(20000 * 5001, 'x');
  file.close();
  EXPECT_THAT(refusal(dir / "large.pgm"), HasSubstr("more than 100 million"));
  EXPECT_EQ(read_picture(dir / "large.pgm", {.max_pixels = 100'020'000}).image.width, 20000);
}

TEST(ReadPicture, AStillPictureHasNoTimes) {
  EXPECT_THAT(
      refusal((kPictures / "rgb.png").string() + "@2s"),
      AllOf(StartsWith("3 "), HasSubstr("still picture"), HasSubstr("leave the time away")));
}

TEST(ReadPicture, AFileWithAnAtSignWins) {
  const TempDir dir;
  copy_picture("rgb.png", dir / "me@2s");
  EXPECT_EQ(read_picture(dir / "me@2s").name, "me@2s");
  copy_picture("rgb.png", dir / "me@home.png");
  EXPECT_EQ(read_picture(dir / "me@home.png").image.width, 24);
  EXPECT_THAT(refusal(dir / "you@home.png"), AllOf(StartsWith("3 "), HasSubstr("you@home.png")));
  EXPECT_THAT(refusal(dir / "none.mp4@2s"), AllOf(StartsWith("3 "), HasSubstr("no such file")));
}

TEST(ReadPicture, RefusesWhatIsNoTime) {
  const TempDir dir;
  copy_picture("rgb.png", dir / "clip");
  for (const std::string text : {"", "2x", "-1", "1,5", "end ", "1e3", "0x10", ".", "1.", "1:60",
                                 "1:2:3:4", "61:61:1", "nan", " 1", "12345678901", ":1", "1:"}) {
    EXPECT_THAT(refusal((dir / "clip").string() + "@" + text),
                AllOf(StartsWith("2 "), HasSubstr("'" + text + "' is not a time")))
        << text;
  }
}

TEST(ParseTime, ReadsEveryWayToSayIt) {
  const std::pair<const char*, FrameTime> cases[] = {{"12.5", 12'500'000},
                                                     {"12.5s", 12'500'000},
                                                     {"0", 0},
                                                     {"750ms", 750'000},
                                                     {"0.5ms", 500},
                                                     {".25", 250'000},
                                                     {"00:01:02.5", 62'500'000},
                                                     {"1:02", 62'000'000},
                                                     {"90:00", 5'400'000'000},
                                                     {"100:00:00", 360'000'000'000},
                                                     {"1.0000019", 1'000'001},
                                                     {"end", kLastFrame}};
  for (const auto& [text, expected] : cases) EXPECT_EQ(parse_time(text), expected) << text;
}

TEST(PublicAddress, LeavesSecretsAway) {
  EXPECT_EQ(public_address("https://a.b/c/d.png?key=1#x"), "https://a.b/c/d.png");
  EXPECT_EQ(public_address("http://me:word@a.b/c@2s"), "http://a.b/c@2s");
  EXPECT_EQ(public_address("HTTP://me:w@rd@a.b"), "HTTP://a.b");
  EXPECT_EQ(last_part("https://a.b/c/d.png"), "d.png");
  EXPECT_EQ(last_part("https://a.b/"), "a.b");
  EXPECT_EQ(last_part("d.png"), "d.png");
}

TEST(ReadPictureFromAddress, NeedsPermissionAndConnectsToNobodyBefore) {
  const TempDir dir;
  copy_picture("rgb.png", dir / "rgb.png");
  const LocalServer server(dir.path());
  EXPECT_THAT(refusal(server.address() + "rgb.png"),
              AllOf(StartsWith("2 "), HasSubstr("--allow-network")));
  EXPECT_THAT(refusal("HTTPS://example.invalid/a.png"), StartsWith("2 "));
  EXPECT_FALSE(std::filesystem::exists(dir / "log"));
}

TEST(ReadPictureFromAddress, GivesPixelsNameAndHash) {
  const TempDir dir;
  copy_picture("turn6.jpg", dir / "turn6.jpg");
  const LocalServer server(dir.path());
  for (const std::string& way : {std::string(), "to/" + server.address(), std::string("to/../")}) {
    const Picture picture =
        read_picture(server.address() + way + "turn6.jpg", {.allow_network = true});
    EXPECT_EQ(picture.image.rgb, read_image(kPictures / "turn6.jpg").rgb) << way;
    EXPECT_EQ(picture.name, "turn6.jpg");
    EXPECT_EQ(picture.sha256, sha256sum(kPictures / "turn6.jpg"));
  }
}

TEST(ReadPictureFromAddress, SaysWhatWentWrongAndNoSecrets) {
  const TempDir dir;
  copy_picture("rgb.png", dir / "rgb.png");
  write_bytes(dir / "page.html", {'<', 'h', 't', 'm', 'l', '>'});
  const LocalServer server(dir.path());
  std::string with_user = server.address();
  with_user.insert(7, "me:word@");
  const InputOptions allowed{.allow_network = true};
  EXPECT_THAT(refusal(with_user + "none.png?key=secret", allowed),
              AllOf(StartsWith("3 "), HasSubstr("none.png"), HasSubstr("404"),
                    Not(HasSubstr("word")), Not(HasSubstr("secret"))));
  EXPECT_THAT(refusal(server.address() + "page.html", allowed), HasSubstr("not a picture"));
  EXPECT_THAT(refusal(server.address() + "rgb.png HTTP/1.1\r\nX: y", allowed),
              AllOf(StartsWith("2 "), HasSubstr("no address")));
  EXPECT_THAT(refusal("http://127.0.0.1:1/a.png", allowed), StartsWith("3 "));
  EXPECT_THAT(refusal("http://name.invalid/a.png", allowed), StartsWith("3 "));
  EXPECT_THAT(refusal(server.address() + "rgb.png", {.max_pixels = 100, .allow_network = true}),
              HasSubstr("24x16"));
}

TEST(ReadPictureFromAddress, FollowsNoRedirectToAnotherProtocol) {
  const TempDir dir;
  copy_picture("rgb.png", dir / "rgb.png");
  const LocalServer server(dir.path());
  const std::string path = dir / "rgb.png";
  for (const std::string& target : std::vector<std::string>{
           "file://" + path, "file:" + path, path, "subfile,,start,0,end,0,,:" + path,
           "concat:" + path, "data:text/plain,hello", "ftp://127.0.0.1/rgb.png", "crypto:" + path,
           "cache:" + path, "gopher://127.0.0.1/rgb.png"}) {
    EXPECT_THAT(refusal(server.address() + "to/" + target, {.allow_network = true}),
                StartsWith("3 "))
        << target;
  }
}

TEST(ReadPictureFromAddress, FollowsNoRedirectsForEver) {
  const TempDir dir;
  const LocalServer server(dir.path());
  std::string address = server.address() + "rgb.png";
  for (int i = 0; i < 20; ++i) address = server.address() + "to/" + address;
  EXPECT_THAT(refusal(address, {.allow_network = true}), StartsWith("3 "));
}

TEST(Download, StopsAtItsLimits) {
  const TempDir dir;
  write_bytes(dir / "large", std::vector<std::uint8_t>(3 << 20));
  const LocalServer server(dir.path());
  const DownloadLimits small{.bytes = 2 << 20};
  EXPECT_EQ(download(server.address() + "large").size(), 3u << 20);
  EXPECT_EQ(download(server.address() + "large", {.bytes = 3 << 20}).size(), 3u << 20);
  for (const std::string name : {"large", "endless"}) {
    EXPECT_THAT(refusal_of([&] { download(server.address() + name, small); }),
                AllOf(StartsWith("3 "), HasSubstr("larger than 2 MiB")));
  }
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(refusal_of([&] {
                download(server.address() + "silent", {.time = std::chrono::milliseconds(500)});
              }),
              AllOf(StartsWith("3 "), HasSubstr("within 0.5 seconds")));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST(Download, NoticesThatSomethingIsMissing) {
  const TempDir dir;
  write_bytes(dir / "large", std::vector<std::uint8_t>(1 << 20));
  const LocalServer server(dir.path(), {"--cut", "1000"});
  EXPECT_THAT(refusal_of([&] { download(server.address() + "large"); }), StartsWith("3 "));
}

}  // namespace
}  // namespace svd::media
