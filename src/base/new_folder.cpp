#include "base/new_folder.h"

#include <fmt/format.h>

#include <system_error>
#include <utility>

#include "svd/error.h"

namespace svd {

NewFolder::NewFolder(std::filesystem::path folder) : folder_(std::move(folder)) {
  std::error_code code;
  is_made_here_ = !std::filesystem::exists(folder_, code);
  std::filesystem::create_directories(folder_, code);
  if (code)
    throw Error(ErrorKind::output,
                fmt::format("the folder {} cannot be made: {}", folder_.string(), code.message()));
  const bool is_empty = std::filesystem::is_empty(folder_, code);
  if (code)
    throw Error(ErrorKind::output,
                fmt::format("the folder {} cannot be read: {}", folder_.string(), code.message()));
  if (!is_empty)
    throw Error(ErrorKind::output, fmt::format("{} is not empty", folder_.string()),
                "empty it or choose another folder");
}

NewFolder::~NewFolder() {
  if (is_kept_) return;
  std::error_code ignored;
  for (const auto& file : files_) std::filesystem::remove(file, ignored);
  if (is_made_here_) std::filesystem::remove(folder_, ignored);
}

std::filesystem::path NewFolder::file(const std::string& name) {
  return files_.emplace_back(folder_ / name);
}

}  // namespace svd
