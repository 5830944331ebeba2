#include "base/new_folder.h"

#include <fmt/format.h>

#include <system_error>

#include "base/atomic_file.h"
#include "svd/error.h"

namespace svd {
namespace {

namespace fs = std::filesystem;

void check(const std::error_code& code, const fs::path& folder, const char* what) {
  if (code)
    throw Error(ErrorKind::output, fmt::format("the folder {} cannot be {}: {}", folder.string(),
                                               what, code.message()));
}

}  // namespace

NewFolder::NewFolder(const fs::path& folder)
    : folder_(folder.has_filename() ? folder : folder.parent_path()) {
  std::error_code code;
  is_made_here_ = fs::create_directories(folder_, code);
  check(code, folder_, "made");
  remove_abandoned(folder_);
  const bool is_empty = fs::is_empty(folder_, code);
  check(code, folder_, "read");
  if (!is_empty)
    throw Error(ErrorKind::output, fmt::format("{} is not empty", folder_.string()),
                "empty it or choose another folder");
  lock_.emplace(folder_);
}

NewFolder::~NewFolder() {
  if (is_kept_) return;
  std::error_code ignored;
  for (const fs::path& file : files_) fs::remove(file, ignored);
  if (is_made_here_) fs::remove(folder_, ignored);
}

fs::path NewFolder::file(const std::string& name) { return files_.emplace_back(folder_ / name); }

}  // namespace svd
