#include "cli/gallery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/gallery_page.h"
#include "svd/error.h"
#ifdef SVD_HAVE_MEDIA
#include "media/frame_writer.h"
#endif

namespace svd::cli {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Gallery : public testing::Test {
 protected:
  Gallery() {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~Gallery() override { fs::remove_all(folder_); }

  GalleryClip clip(const std::string& name, const std::string& content,
                   std::vector<std::pair<std::string, std::string>> settings) const {
    std::ofstream(folder_ / name) << content;
    return {name,           folder_ / name, percent_encoded(name),
            Showing::video, "video/mp4",    std::move(settings)};
  }
  static std::string page(const std::vector<GalleryClip>& clips, bool link = false) {
    std::ostringstream out;
    write_gallery_page(out, "Clips", clips, link);
    return out.str();
  }

  const fs::path folder_ =
      fs::path(testing::TempDir()) /
      (std::string("svd_gallery_") + testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST_F(Gallery, EmbedsAFileAsItIs) {
  // RFC 4648, section 10
  EXPECT_THAT(page({clip("a.mp4", "foobar", {})}),
              HasSubstr("src=\"data:video/mp4;base64,Zm9vYmFy\""));
  EXPECT_THAT(page({clip("b.mp4", "fooba", {})}), HasSubstr("base64,Zm9vYmE=\""));
  EXPECT_THAT(page({clip("c.mp4", "foob", {})}), HasSubstr("base64,Zm9vYg==\""));
  EXPECT_THAT(page({clip("d.mp4", std::string("\xff\xfe", 2), {})}), HasSubstr("base64,//4=\""));
  const std::string large(2'000'003, 'x');
  const std::string text = page({clip("e.mp4", large, {})});
  const std::size_t begin = text.find("base64,") + 7;
  EXPECT_EQ(text.find('"', begin) - begin, (large.size() + 2) / 3 * 4);
}

TEST_F(Gallery, LinksWithEncodedAddresses) {
  const std::string text = page({clip("a b#%\".mp4", "x", {})}, true);
  EXPECT_THAT(text, AllOf(HasSubstr("src=\"./a%20b%23%25%22.mp4\""), Not(HasSubstr("base64"))));
  EXPECT_EQ(percent_encoded("javascript:alert(1)"), "./javascript%3Aalert%281%29");
}

TEST_F(Gallery, EscapesHostileText) {
  const std::string hostile = "\"><script>alert('1')</script>&.mp4";
  GalleryClip evil = clip("evil.mp4", "x", {{hostile, hostile}, {"seed", "1"}});
  evil.name = hostile;
  GalleryClip unplayable = evil;
  unplayable.showing = Showing::link;
  const std::string text = page({evil, unplayable, clip("b.mp4", "x", {{"seed", "2"}})});
  EXPECT_THAT(text, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(text,
              HasSubstr("&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;.mp4"));
}

TEST_F(Gallery, LoadsNothingFromElsewhere) {
  const std::string text = page({clip("a.mp4", "x", {{"seed", "1"}})});
  EXPECT_THAT(text, AllOf(HasSubstr("default-src 'none'; img-src data:; media-src data:;"),
                          Not(HasSubstr("http://")), Not(HasSubstr("https://")),
                          Not(HasSubstr("unsafe-inline"))));
}

TEST_F(Gallery, PutsForwardWhatDiffers) {
  const std::string text = page({clip("a.mp4", "x", {{"seed", "1"}, {"steps", "25"}}),
                                 clip("b.mp4", "x", {{"seed", "2"}, {"steps", "25"}})});
  const std::size_t card = text.find("<article");
  EXPECT_LT(text.find("data-key=\"seed\"", card), text.find("<details>", card));
  EXPECT_GT(text.find("data-key=\"steps\"", card), text.find("<details>", card));
  EXPECT_LT(text.find("<option value=\"seed\""), text.find("The same for all"));
  EXPECT_GT(text.find("<option value=\"steps\""), text.find("The same for all"));
}

TEST_F(Gallery, NamesAClipThatCannotBeRead) {
  GalleryClip gone = clip("gone.mp4", "x", {});
  fs::remove(gone.file);
  try {
    page({gone});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::image);
    EXPECT_THAT(error.what(), HasSubstr("gone.mp4"));
  }
}

#ifdef SVD_HAVE_MEDIA

std::string content_of(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Clips with records in a folder, and the page over them.
class GalleryOfFolder : public Gallery {
 protected:
  void make(const std::string& name, int seed) const {
    const nlohmann::json record = {{"svd_gen", "0.1.0"},
                                   {"image", {{"name", "cat.png"}}},
                                   {"request", {{"seed", seed}, {"fps", 7.0}, {"steps", 25}}}};
    media::OutputOptions options;
    options.path = folder_ / name;
    options.width = options.height = 64;
    options.fps = 7;
    options.frames = 2;
    options.metadata = record.dump();
    const auto sink = media::open_output(options);
    for (int i = 0; i < options.frames; ++i) sink->write(std::vector<std::uint8_t>(64 * 64 * 3));
    sink->finish();
  }
  std::string run(bool link = false, bool overwrite = false) const {
    GalleryOptions options;
    options.folder = folder_.string();
    options.link = link;
    options.overwrite = overwrite;
    std::ostringstream messages;
    Console console(messages, {});
    gallery(options, console);
    return content_of(folder_ / "index.html");
  }
  ErrorKind refusal() const {
    try {
      run();
    } catch (const Error& error) {
      return error.kind();
    }
    return ErrorKind::internal;
  }
};

TEST_F(GalleryOfFolder, ShowsEveryClipThatSaysHowItWasMade) {
  fs::create_directories(folder_ / "below");
  fs::create_directories(folder_ / ".hidden");
  make("a.mp4", 1);
  make("b.webm", 2);
  make("c.gif", 3);
  make("below/d.mkv", 4);
  make("frames/", 5);
  make(".hidden/e.mp4", 6);
  std::ofstream(folder_ / "note.mp4") << "no video";
  const std::string text = run(true);
  EXPECT_THAT(text, HasSubstr("5 clips"));
  EXPECT_THAT(text, AllOf(HasSubstr("src=\"./a.mp4\""), HasSubstr("src=\"./b.webm\""),
                          HasSubstr("<img alt=\"c.gif\""), HasSubstr("href=\"./below/d.mkv\""),
                          HasSubstr("src=\"./frames/00000.png\""), HasSubstr("<h2>frames/</h2>")));
  EXPECT_THAT(text, AllOf(HasSubstr("<dd data-key=\"seed\">4</dd>"),
                          HasSubstr("<dd data-key=\"fps\">7</dd>"),
                          HasSubstr("<dd data-key=\"image.name\">cat.png</dd>")));
  EXPECT_THAT(text, Not(HasSubstr("hidden/")));
}

TEST_F(GalleryOfFolder, ReplacesAPageOnlyWhenAsked) {
  make("a.mp4", 1);
  std::ofstream(folder_ / "index.html") << "precious";
  EXPECT_EQ(refusal(), ErrorKind::output);
  EXPECT_EQ(content_of(folder_ / "index.html"), "precious");
  EXPECT_THAT(run(false, true), HasSubstr("data:video/mp4;base64,"));
}

TEST_F(GalleryOfFolder, RefusesAFolderWithoutClips) {
  std::ofstream(folder_ / "note.mp4") << "no video";
  EXPECT_EQ(refusal(), ErrorKind::image);
  EXPECT_FALSE(fs::exists(folder_ / "index.html"));
  fs::remove_all(folder_);
  EXPECT_EQ(refusal(), ErrorKind::image);
}

#endif

}  // namespace
}  // namespace svd::cli
