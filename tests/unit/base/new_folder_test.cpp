#include "base/new_folder.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <string>

#include "svd/error.h"

namespace svd {
namespace {

namespace fs = std::filesystem;

class NewFolderTest : public testing::Test {
 protected:
  NewFolderTest() { fs::create_directories(root_); }
  ~NewFolderTest() override { fs::remove_all(root_); }

  static void write(const fs::path& file) { std::ofstream(file) << "x"; }

  static void expect_refused(const fs::path& folder, const std::string& why) {
    try {
      NewFolder refused(folder);
      FAIL() << folder;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::output);
      EXPECT_NE(std::string(error.what()).find(why), std::string::npos) << error.what();
    }
  }

  const fs::path root_ = fs::temp_directory_path() / ("svd-new-folder-" + std::to_string(getpid()));
};

TEST_F(NewFolderTest, goes_with_its_files_unless_kept) {
  const fs::path made = root_ / "a" / "b";
  {
    NewFolder folder(made);
    write(folder.file("one"));
    folder.file("never written");
  }
  EXPECT_FALSE(fs::exists(made));
  {
    NewFolder folder(made.string() + "/");
    write(folder.file("one"));
    folder.keep();
  }
  EXPECT_TRUE(fs::exists(made / "one"));
}

TEST_F(NewFolderTest, leaves_what_is_not_its_own) {
  const fs::path empty = root_ / "empty", made = root_ / "made";
  fs::create_directory(empty);
  { write(NewFolder(empty).file("one")); }
  EXPECT_TRUE(fs::exists(empty));
  {
    NewFolder folder(made);
    write(made / "somebody else's");
  }
  EXPECT_TRUE(fs::exists(made / "somebody else's"));
}

TEST_F(NewFolderTest, refuses_what_is_in_use) {
  write(root_ / "file");
  expect_refused(root_, "is not empty");
  expect_refused(root_ / "file", "cannot be made");
  const NewFolder folder(root_ / "shared");
  expect_refused(root_ / "shared", "is being written by another run");
}

}  // namespace
}  // namespace svd
