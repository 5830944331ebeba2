#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "svd/error.h"

namespace svd::weights {

/// A folder that goes away with the test; in memory where there is such a place.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    for (std::string name :
         {std::string("/dev/shm/svd_weights_XXXXXX"),
          (std::filesystem::temp_directory_path() / "svd_weights_XXXXXX").string()}) {
      if (path_.empty() && mkdtemp(name.data()) != nullptr) path_ = name;
    }
    if (path_.empty()) throw std::runtime_error("mkdtemp failed");
  }
  ~TemporaryFolder() {
    std::error_code code;
    std::filesystem::remove_all(path_, code);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::filesystem::path write_file(const std::filesystem::path& path,
                                        const std::string& bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// "MESSAGE | HINT" of the Error{model} that `run` throws; "no error" if it throws none.
template <class F>
std::string model_error(F&& run) {
  try {
    run();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::model) << error.what();
    return std::string(error.what()) + " | " + error.hint();
  }
  return "no error";
}

}  // namespace svd::weights
