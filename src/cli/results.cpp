#include "cli/results.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "base/json.h"
#include "svd/error.h"

namespace svd::cli {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const char* what, int code) {
  throw Error(ErrorKind::output,
              path.string() + ": " + what + ": " + std::generic_category().message(code),
              code == ENOSPC ? "free some space or write to another disk" : "");
}

/// A kill in the middle of a line must not spoil the next.
bool ends_within_a_line(int file) {
  struct stat status {};
  if (fstat(file, &status) != 0 || status.st_size == 0) return false;
  char last = '\n';
  return pread(file, &last, 1, status.st_size - 1) == 1 && last != '\n';
}

}  // namespace

Results::Results(std::filesystem::path path)
    : path_(std::move(path)),
      file_(open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) {
  if (file_ < 0) fail(path_, "cannot open", errno);
}

Results::~Results() { close(file_); }

void Results::append(const nlohmann::ordered_json& line) {
  std::string text = one_line(line);
  if (ends_within_a_line(file_)) text.insert(0, "\n");
  text += '\n';
  // One call, so that lines of several processes do not mix.
  const ssize_t written = write(file_, text.data(), text.size());
  if (written < 0) fail(path_, "cannot write", errno);
  if (static_cast<std::size_t>(written) != text.size()) fail(path_, "cannot write", ENOSPC);
  if (fsync(file_) != 0 && errno != EINVAL && errno != EROFS) fail(path_, "cannot write", errno);
}

std::map<std::string, std::string> Results::finished(const std::filesystem::path& path) {
  const auto text_of = [](const nlohmann::json& line, const char* key) {
    const auto found = line.find(key);
    return found != line.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  std::map<std::string, std::string> ids;
  std::ifstream file(path);
  for (std::string text; std::getline(file, text);) {
    const auto line = nlohmann::json::parse(text, nullptr, false);
    if (!line.is_object()) continue;
    const std::string job = text_of(line, "job"), status = text_of(line, "status");
    if (!job.empty() && (status == "done" || status == "adopted"))
      ids[job] = text_of(line, "request_id");
  }
  return ids;
}

}  // namespace svd::cli
