#include "media/image_reader.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <sstream>

#include "svd/error.h"
#include "unit/media/support.h"

namespace svd::media {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

using Bytes = std::vector<std::uint8_t>;

const std::string kPictures = std::string(SVD_TEST_DATA) + "/golden/pictures/";

std::uint32_t crc32(const Bytes& bytes) {
  std::uint32_t crc = 0xffffffff;
  for (const std::uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xedb88320 : 0);
  }
  return ~crc;
}

/// The picture of make_pictures.py.
Image original() {
  Image image{24, 16, {}};
  for (int y = 0; y < 16; ++y)
    for (int x = 0; x < 24; ++x)
      for (const int value : {x * 255 / 23, y * 255 / 15, (x * 7 + y * 13) % 256})
        image.rgb.push_back(static_cast<std::uint8_t>(value));
  return image;
}

int largest_difference(const Image& a, const Image& b) {
  if (a.width != b.width || a.height != b.height || a.rgb.size() != b.rgb.size()) return 999;
  int largest = 0;
  for (std::size_t i = 0; i < a.rgb.size(); ++i)
    largest = std::max(largest, std::abs(a.rgb[i] - b.rgb[i]));
  return largest;
}

std::string refusal_of(const Bytes& bytes) {
  return media::refusal_of([&] { decode_image(bytes, "cat"); });
}

Bytes text(const std::string& characters) { return {characters.begin(), characters.end()}; }

Bytes picture(const std::string& name) { return read_bytes(kPictures + name); }

Bytes first_part(Bytes bytes, std::size_t size) {
  bytes.resize(size);
  return bytes;
}

TEST(ReadImage, EqualsWhatIsStoredInEveryKindOfFile) {
  std::ifstream manifest(kPictures + "manifest.txt");
  std::string name;
  int width = 0, height = 0, files = 0;
  std::uint32_t crc = 0;
  testing::internal::CaptureStderr();
  while (manifest >> name >> std::dec >> width >> height >> std::hex >> crc) {
    try {
      const Image image = read_image(kPictures + name);
      EXPECT_EQ(image.width, width) << name;
      EXPECT_EQ(image.height, height) << name;
      EXPECT_EQ(image.rgb.size(), static_cast<std::size_t>(width) * height * 3) << name;
      EXPECT_EQ(crc32(image.rgb), crc) << name;
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
    ++files;
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_GT(files, 60);
}

TEST(ReadImage, TurnsJpegsUpright) {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Image image = read_image(kPictures + "turn" + std::to_string(orientation) + ".jpg");
    EXPECT_LE(largest_difference(image, original()), 6) << orientation;
  }
}

TEST(ReadImage, TurnsCmykIntoRgb) {
  EXPECT_LE(largest_difference(read_image(kPictures + "cmyk.jpg"), original()), 6);
}

TEST(ReadImage, Scales16BitTiffs) {
  Image grey = original();
  for (std::size_t i = 0; i < grey.rgb.size(); ++i) grey.rgb[i] = grey.rgb[i / 3 * 3 + 2];
  EXPECT_LE(largest_difference(read_image(kPictures + "grey16.tif"), grey), 1);
}

TEST(ReadImage, IgnoresBrokenExif) {
  Bytes bytes = picture("turn6.jpg");
  const std::string exif("Exif\0\0", 6);
  const auto at = std::search(bytes.begin(), bytes.end(), exif.begin(), exif.end());
  ASSERT_NE(at, bytes.end());
  std::fill(at + 10, at + 14, 0xff);  // the offset of the directory
  const Image image = decode_image(bytes, "cat");
  EXPECT_EQ(image.width, 16);
  EXPECT_EQ(image.height, 24);
}

TEST(ReadImage, RefusesFilesThatAreCutOff) {
  testing::internal::CaptureStderr();
  for (const std::string name :
       {"rgb.png",  "rgba16.png",  "palette.png", "420.jpg",       "progressive.jpg", "turn6.jpg",
        "cmyk.jpg", "rgb.webp",    "lossy.webp",  "animated.webp", "rgb.tif",         "lzw.tif",
        "rgb.bmp",  "palette.bmp", "still.gif",   "animated.gif",  "plain.pbm",       "raw.pbm",
        "raw.pgm",  "raw.ppm",     "plain.ppm",   "wide.ppm",      "rgba.pam"}) {
    const Bytes whole = picture(name);
    const bool frames_follow = name.starts_with("animated.gif");
    for (const double kept : {0.02, 0.1, 0.3, 0.5, 0.9}) {
      if (frames_follow && kept > 0.5) continue;  // the first frame is all there
      const auto size = static_cast<std::size_t>(static_cast<double>(whole.size()) * kept);
      EXPECT_THAT(refusal_of(first_part(whole, size)), AllOf(StartsWith("3 "), HasSubstr("cat")))
          << name << " " << kept;
    }
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_THAT(refusal_of(first_part(picture("420.jpg"), 700)), HasSubstr("cut off"));
  EXPECT_THAT(refusal_of(first_part(picture("rgb.png"), 300)), HasSubstr("cut off"));
  // Nothing but the end marker is missing.
  const Bytes jpeg = picture("420.jpg");
  EXPECT_THAT(refusal_of(first_part(jpeg, jpeg.size() - 2)), HasSubstr("cut off"));
}

TEST(ReadImage, SurvivesEveryCutAndEveryChangedByte) {
  testing::internal::CaptureStderr();
  for (const std::string name :
       {"palette_alpha.png", "grey.jpg", "animated.webp", "turn6.tif", "turn6.jpg", "turn8.webp",
        "palette.bmp", "animated.gif", "rgba.pam"}) {
    const Bytes whole = picture(name);
    const std::size_t checked = std::min<std::size_t>(whole.size(), 700);
    for (std::size_t i = 0; i < checked; ++i) {
      Bytes changed = whole;
      changed[i] ^= 0xff;
      for (const Bytes& bytes : {first_part(whole, i), changed}) {
        try {
          decode_image(bytes, "cat");
        } catch (const Error& error) {
          EXPECT_EQ(error.kind(), ErrorKind::image) << name << " " << i << ": " << error.what();
        }
      }
    }
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(ReadImage, RefusesDamagedData) {
  testing::internal::CaptureStderr();
  Bytes png = picture("rgb.png");
  png[png.size() - 40] ^= 0xff;
  EXPECT_THAT(refusal_of(png), AllOf(StartsWith("3 "), HasSubstr("damaged")));
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(ReadImage, RefusesPngsWithoutBits) {
  Bytes png = picture("grey_key.png");  // its transparent colour is scaled by the largest sample
  for (const std::uint8_t depth : {0, 3, 255}) {
    png[24] = depth;
    EXPECT_THAT(refusal_of(png),
                AllOf(StartsWith("3 "), HasSubstr(std::to_string(depth) + " bits")));
  }
}

TEST(ReadImage, LeavesStandardErrorAsItWas) {
  decode_image(picture("rgb.png"), "cat");
  testing::internal::CaptureStderr();
  fputs("still here", stderr);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "still here");
}

TEST(ReadImage, NamesWhatIsNotAPicture) {
  EXPECT_THAT(refusal_of({}), AllOf(StartsWith("3 "), HasSubstr("cat is empty")));
  EXPECT_THAT(refusal_of(text("Dear picture,\nhow are you?\n")),
              AllOf(StartsWith("3 "), HasSubstr("not a picture"), HasSubstr("PNG")));
  EXPECT_THAT(refusal_of(text("P")), StartsWith("3 "));
  EXPECT_THAT(refusal_of(text("BM, said the man, and left.")), HasSubstr("not a picture"));
  EXPECT_THAT(refusal_of(text("Polite words")), HasSubstr("not a picture"));
}

TEST(ReadImage, NamesFormatsThatAreNotReadAndConvertsThem) {
  const auto box = [](const std::string& brands) {
    return text(std::string("\0\0\0\x18", 4) + "ftyp" + brands);
  };
  EXPECT_THAT(refusal_of(box("heic\0\0\0\0mif1heic")),
              AllOf(HasSubstr("HEIC"), HasSubstr("heif-convert 'cat' picture.png")));
  EXPECT_THAT(refusal_of(box("avif....avifmif1")), AllOf(HasSubstr("AVIF"), HasSubstr("avifdec")));
  EXPECT_THAT(refusal_of(box("isom....isomavc1")), HasSubstr("ffmpeg -i 'cat' -frames:v 1"));
  EXPECT_THAT(refusal_of(text("<svg xmlns=\"http://www.w3.org/2000/svg\"/>")), HasSubstr("SVG"));
  EXPECT_THAT(refusal_of(text("%PDF-1.7\n")), HasSubstr("PDF"));
}

/// The header of a PNG of this size, with no data.
Bytes png_header(std::uint32_t width, std::uint32_t height) {
  Bytes bytes = first_part(picture("rgb.png"), 33);
  for (int i = 0; i < 4; ++i) {
    bytes[static_cast<std::size_t>(16 + i)] = static_cast<std::uint8_t>(width >> (24 - 8 * i));
    bytes[static_cast<std::size_t>(20 + i)] = static_cast<std::uint8_t>(height >> (24 - 8 * i));
  }
  return bytes;
}

long peak_kib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

TEST(ReadImage, RefusesHugePicturesUnread) {
  const long before = peak_kib();
  EXPECT_THAT(refusal_of(png_header(30000, 20000)),
              AllOf(StartsWith("3 "), HasSubstr("30000x20000"), HasSubstr("100 million")));
  EXPECT_THAT(refusal_of(png_header(0xffffffff, 0xffffffff)), HasSubstr("100 million"));
  EXPECT_THAT(refusal_of(png_header(0x80000000, 2)), HasSubstr("100 million"));
  EXPECT_THAT(refusal_of(png_header(10001, 10000)), HasSubstr("100 million"));
  EXPECT_THAT(refusal_of(png_header(10000, 10000)), HasSubstr("cut off"));
  EXPECT_THAT(refusal_of(text("P6 30000 20000 255\n")), HasSubstr("30000x20000"));
  EXPECT_THAT(refusal_of(text("P6 999999999999999 999999999999999 255\n")), StartsWith("3 "));
  EXPECT_THAT(refusal_of(text(std::string("GIF89a\xff\xff\xff\xff\0\0\0", 13))),
              HasSubstr("65535x65535"));
  EXPECT_LT(peak_kib() - before, 20'000);
}

TEST(ReadImage, RefusesFramesLargerThanTheirCanvas) {
  const std::string still = output_of(
      "ffmpeg -v error -f lavfi -i color=s=4000x4000 -frames:v 1 -c:v libwebp -lossless 1 -f webp "
      "-");
  const auto number = [](std::size_t value, int bytes) {
    std::string text;
    for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
    return text;
  };
  const std::string frame =
      number(0, 6) + number(3999, 3) + number(3999, 3) + number(100, 4) + still.substr(12);
  const std::string body = "WEBPVP8X" + number(10, 4) + number(2, 4) + number(23, 3) +
                           number(15, 3) + "ANMF" + number(frame.size(), 4) + frame;
  const Bytes webp = text("RIFF" + number(body.size(), 4) + body);
  const long before = peak_kib();
  EXPECT_THAT(refusal_of(webp), AllOf(StartsWith("3 "), HasSubstr("damaged")));
  EXPECT_LT(peak_kib() - before, 20'000);
}

// Found by fuzzing: the DICOM decoder allocates whatever length it reads.
TEST(ReadImage, RefusesWhatWouldBeReadAsDicom) {
  Bytes bmp(64 * 64 * 3 + 54, 0x7f);  // 64x64, 24 bits
  const Bytes header = {'B', 'M', 0x36, 0x30, 0,  0, 0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0, 0,
                        64,  0,   0,    0,    64, 0, 0, 0, 1, 0, 24, 0, 0, 0, 0,  0, 0, 0x30,
                        0,   0,   0,    0,    0,  0, 0, 0, 0, 0, 0,  0, 0, 0, 0,  0, 0, 0};
  std::copy(header.begin(), header.end(), bmp.begin());
  EXPECT_EQ(decode_image(bmp, "x.bmp").width, 64);
  const std::string letters = "DICM";
  std::copy(letters.begin(), letters.end(), bmp.begin() + 128);
  try {
    decode_image(bmp, "x.bmp");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::image);
    EXPECT_THAT(error.what(), HasSubstr("DICOM"));
  }
}

TEST(ReadImage, RefusesTinyPictures) {
  EXPECT_THAT(refusal_of(text("P5 1 1 255\nx")), AllOf(StartsWith("3 "), HasSubstr("1x1")));
  EXPECT_THAT(refusal_of(text("P5 5 3 255\n" + std::string(15, 'x'))), HasSubstr("5x3"));
  EXPECT_THAT(refusal_of(text("P5 0 9 255\n")), HasSubstr("0x9"));
  EXPECT_THAT(refusal_of(text("P5 -4 -9 255\n")), StartsWith("3 "));
  EXPECT_EQ(decode_image(text("P5 16 1 255\n" + std::string(16, 'x')), "cat").rgb[0], 'x');
}

TEST(ReadImage, NamesWhatIsWrongWithThePath) {
  const TempDir dir;
  EXPECT_THAT(media::refusal_of([&] { read_image(dir / "none.png"); }),
              AllOf(StartsWith("3 "), HasSubstr("none.png"), HasSubstr("no such file")));
  EXPECT_THAT(media::refusal_of([&] { read_image(dir.path()); }),
              AllOf(StartsWith("3 "), HasSubstr("is a folder")));
  write_bytes(dir / "empty.png", {});
  EXPECT_THAT(media::refusal_of([&] { read_image(dir / "empty.png"); }),
              HasSubstr("empty.png is empty"));
  write_bytes(dir / "letter.png", text("Dear picture"));
  EXPECT_THAT(media::refusal_of([&] { read_image(dir / "letter.png"); }),
              HasSubstr("not a picture"));
  EXPECT_THAT(media::refusal_of([&] { read_image(dir / "letter.png" / "x"); }), StartsWith("3 "));
  // Endless, but the first bytes say enough.
  EXPECT_THAT(media::refusal_of([&] { read_image("/dev/zero"); }), HasSubstr("not a picture"));
}

TEST(ReadImage, ReadsStandardInput) {
  const int saved = dup(STDIN_FILENO);
  for (const std::string name : {"rgb.png", "none"}) {
    const int file = open(name == "none" ? "/dev/null" : (kPictures + name).c_str(), O_RDONLY);
    dup2(file, STDIN_FILENO);
    close(file);
    if (name == "none")
      EXPECT_THAT(media::refusal_of([] { read_image("-"); }), HasSubstr("standard input is empty"));
    else
      EXPECT_EQ(read_image("-").rgb, original().rgb);
  }
  dup2(saved, STDIN_FILENO);
  close(saved);
}

}  // namespace
}  // namespace svd::media
