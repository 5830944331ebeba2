#pragma once

#include <gtest/gtest.h>
#include <stdio.h>
#include <stdlib.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include "svd/error.h"

namespace svd::media {

/// An empty folder that is gone afterwards.
class TempDir {
 public:
  TempDir() {
    std::string name = testing::TempDir() + "svd-media-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp " + name);
    path_ = name;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

  /// Names of all entries, hidden ones too.
  std::set<std::string> entries(const std::string& folder = {}) const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_ / folder))
      names.insert(entry.path().filename().string());
    return names;
  }

 private:
  std::filesystem::path path_;
};

inline void write_bytes(const std::filesystem::path& path, const std::vector<std::uint8_t>& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

inline std::vector<std::uint8_t> read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// "KIND MESSAGE; HINT" of the Error that `call` throws, empty if it throws none.
template <typename Call>
std::string refusal_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return std::to_string(static_cast<int>(error.kind())) + " " + error.what() + "; " +
           error.hint();
  }
  return {};
}

/// What a command prints; the test fails when the command does.
inline std::string output_of(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  std::string text;
  std::array<char, 65536> buffer;
  while (const std::size_t size = fread(buffer.data(), 1, buffer.size(), pipe))
    text.append(buffer.data(), size);
  EXPECT_EQ(pclose(pipe), 0) << command;
  return text;
}

/// All frames of a picture or video as the ffmpeg command sees them, in RGB.
inline std::string decoded(const std::filesystem::path& path) {
  return output_of("ffmpeg -v error -i " + path.string() +
                   " -sws_flags accurate_rnd+full_chroma_int+bicubic -f rawvideo -pix_fmt rgb24 -");
}

}  // namespace svd::media
