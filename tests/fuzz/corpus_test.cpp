#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "fuzz/image_target.h"
#include "fuzz/json_target.h"
#include "fuzz/metadata_target.h"
#include "fuzz/safetensors_target.h"
#include "fuzz/video_target.h"

// Every file that a fuzz target starts from, and every one that was a finding once, goes through
// the same function in the normal build.

namespace svd::fuzz {
namespace {

void replay(const std::filesystem::path& folder, int (*target)(const std::uint8_t*, std::size_t)) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
    EXPECT_NO_THROW(target(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()))
        << entry.path();
    ++files;
  }
  EXPECT_GT(files, 5) << folder;
}

const std::filesystem::path kTests = SVD_TEST_DATA;

TEST(FuzzCorpus, Json) { replay(kTests / "fuzz/corpus/json", fuzz_json); }
TEST(FuzzCorpus, Safetensors) { replay(kTests / "fuzz/corpus/safetensors", fuzz_safetensors); }
TEST(FuzzCorpus, Image) { replay(kTests / "fuzz/corpus/image", fuzz_image); }
TEST(FuzzCorpus, Pictures) { replay(kTests / "golden/pictures", fuzz_image); }
TEST(FuzzCorpus, Metadata) { replay(kTests / "fuzz/corpus/metadata", fuzz_metadata); }
TEST(FuzzCorpus, Video) { replay(kTests / "fuzz/corpus/video", fuzz_video); }

}  // namespace
}  // namespace svd::fuzz
