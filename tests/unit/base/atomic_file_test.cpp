#include "base/atomic_file.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <set>
#include <string>

#include "svd/error.h"

namespace {
bool renameat2_is_missing = false;
}

/// Takes the place of the C library's, to play a file system without the flags (NFS).
extern "C" int renameat2(int from_folder, const char* from, int to_folder, const char* to,
                         unsigned flags) noexcept {
  if (renameat2_is_missing) {
    errno = EINVAL;
    return -1;
  }
  return static_cast<int>(syscall(SYS_renameat2, from_folder, from, to_folder, to, flags));
}

namespace svd {
namespace {

namespace fs = std::filesystem;

/// Every test runs twice, with and without renameat2.
class AtomicPathTest : public testing::TestWithParam<bool> {
 protected:
  AtomicPathTest() {
    renameat2_is_missing = GetParam();
    std::string name = testing::TempDir() + "svd-atomic-XXXXXX";
    if (mkdtemp(name.data()) != nullptr) dir_ = name;
  }
  ~AtomicPathTest() override {
    renameat2_is_missing = false;
    std::error_code ignored;
    fs::remove_all(dir_, ignored);
  }

  static void write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }
  static std::string read(const fs::path& path) {
    std::string text;
    std::getline(std::ifstream(path), text);
    return text;
  }
  std::set<std::string> entries() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(dir_))
      names.insert(entry.path().filename().string());
    return names;
  }

  fs::path dir_;
};

using Names = std::set<std::string>;

INSTANTIATE_TEST_SUITE_P(Renames, AtomicPathTest, testing::Bool());

TEST_P(AtomicPathTest, PublishesAFile) {
  AtomicPath file(dir_ / "a.txt", AtomicPath::Type::file);
  EXPECT_EQ(file.temporary_path().parent_path(), dir_);
  EXPECT_EQ(file.temporary_path().filename().string().front(), '.');
  EXPECT_EQ(fs::file_size(file.temporary_path()), 0u);
  write(file.temporary_path(), "new");
  EXPECT_EQ(entries().count("a.txt"), 0u);
  file.commit(false);
  EXPECT_EQ(entries(), Names{"a.txt"});
  EXPECT_EQ(read(dir_ / "a.txt"), "new");
}

TEST_P(AtomicPathTest, FollowsTheUmask) {
  const mode_t old = umask(027);
  AtomicPath file(dir_ / "file", AtomicPath::Type::file);
  AtomicPath folder(dir_ / "folder", AtomicPath::Type::folder);
  umask(old);
  file.commit(false);
  folder.commit(false);
  EXPECT_EQ(fs::status(dir_ / "file").permissions(), fs::perms(0640));
  EXPECT_EQ(fs::status(dir_ / "folder").permissions(), fs::perms(0750));
}

TEST_P(AtomicPathTest, RemovesWhatWasNotCommitted) {
  {
    AtomicPath file(dir_ / "a.txt", AtomicPath::Type::file);
    AtomicPath folder(dir_ / "b/", AtomicPath::Type::folder);
    write(file.temporary_path(), "new");
    write(folder.temporary_path() / "x", "new");
    EXPECT_EQ(entries().size(), 2u);
  }
  EXPECT_TRUE(entries().empty());
}

TEST_P(AtomicPathTest, KeepsAnExistingFile) {
  write(dir_ / "a.txt", "old");
  {
    AtomicPath file(dir_ / "a.txt", AtomicPath::Type::file);
    write(file.temporary_path(), "new");
    try {
      file.commit(false);
      ADD_FAILURE() << "replaced";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::output);
      EXPECT_NE(std::string(error.what()).find("a.txt exists"), std::string::npos);
      EXPECT_NE(error.hint(), "");
    }
  }
  EXPECT_EQ(entries(), Names{"a.txt"});
  EXPECT_EQ(read(dir_ / "a.txt"), "old");
}

TEST_P(AtomicPathTest, ReplacesAFileWhenTold) {
  write(dir_ / "a.txt", "old");
  AtomicPath file(dir_ / "a.txt", AtomicPath::Type::file);
  write(file.temporary_path(), "new");
  file.commit(true);
  EXPECT_EQ(entries(), Names{"a.txt"});
  EXPECT_EQ(read(dir_ / "a.txt"), "new");
}

TEST_P(AtomicPathTest, PublishesAFolder) {
  AtomicPath folder(dir_ / "b/", AtomicPath::Type::folder);
  write(folder.temporary_path() / "x", "new");
  folder.commit(false);
  EXPECT_EQ(entries(), Names{"b"});
  EXPECT_EQ(read(dir_ / "b/x"), "new");
}

TEST_P(AtomicPathTest, KeepsAnExistingFolder) {
  fs::create_directory(dir_ / "b");
  write(dir_ / "b/old", "old");
  {
    AtomicPath folder(dir_ / "b", AtomicPath::Type::folder);
    EXPECT_THROW(folder.commit(false), Error);
  }
  EXPECT_EQ(entries(), Names{"b"});
  EXPECT_EQ(read(dir_ / "b/old"), "old");
}

TEST_P(AtomicPathTest, ReplacesAFolderAsAWhole) {
  fs::create_directory(dir_ / "b");
  write(dir_ / "b/old", "old");
  AtomicPath folder(dir_ / "b", AtomicPath::Type::folder);
  write(folder.temporary_path() / "x", "new");
  folder.commit(true);
  EXPECT_EQ(entries(), Names{"b"});
  EXPECT_FALSE(fs::exists(dir_ / "b/old"));
  EXPECT_EQ(read(dir_ / "b/x"), "new");
}

TEST_P(AtomicPathTest, NamesTheFinalPathWhenTheParentIsMissing) {
  try {
    AtomicPath file(dir_ / "missing/a.txt", AtomicPath::Type::file);
    ADD_FAILURE() << "created";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::output);
    EXPECT_NE(std::string(error.what()).find("missing/a.txt"), std::string::npos);
  }
}

TEST_P(AtomicPathTest, TakesTheLongestNames) {
  const std::string name(255, 'n');
  AtomicPath file(dir_ / name, AtomicPath::Type::file);
  file.commit(false);
  EXPECT_EQ(entries(), Names{name});
}

TEST_P(AtomicPathTest, WorksInTheCurrentFolder) {
  const fs::path old = fs::current_path();
  fs::current_path(dir_);
  AtomicPath("a.txt", AtomicPath::Type::file).commit(false);
  fs::current_path(old);
  EXPECT_EQ(entries(), Names{"a.txt"});
}

TEST_P(AtomicPathTest, LeavesOfTheDeadAreRemovedAndThoseOfTheLivingStay) {
  const pid_t child = fork();
  if (child == 0) {  // ends as a kill would end it
    new AtomicPath(dir_ / "file", AtomicPath::Type::file);
    write((new AtomicPath(dir_ / "folder", AtomicPath::Type::folder))->temporary_path() / "0.png",
          "x");
    _exit(0);
  }
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  ASSERT_EQ(entries().size(), 2u);
  const AtomicPath own(dir_ / "own", AtomicPath::Type::file);
  write(dir_ / ".svd-gen-note", "not ours");
  EXPECT_EQ(remove_abandoned(dir_), 2);
  EXPECT_EQ(entries(),
            (std::set<std::string>{".svd-gen-note", own.temporary_path().filename().string()}));
  EXPECT_EQ(remove_abandoned(dir_ / "none"), 0);
}

}  // namespace
}  // namespace svd
