#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace svd {

/// What went wrong, as a user would sort it. The value is the exit code of the command line.
enum class ErrorKind {
  internal = 1,      ///< a defect of svd-gen
  usage = 2,         ///< an option or configuration value
  image = 3,         ///< the input image
  model = 4,         ///< the model folder, its configuration or its weights
  device = 5,        ///< no such device, or out of memory
  output = 6,        ///< the output file or the video encoder
  interrupted = 130  ///< stopped through the stop token; nothing was published
};

/// The one exception that leaves the library. `what()` names what failed, on which file, key or
/// value and what was expected; `hint()` says what to try and may be empty.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message, std::string hint = {})
      : std::runtime_error(message), kind_(kind), hint_(std::move(hint)) {}

  ErrorKind kind() const { return kind_; }
  const std::string& hint() const { return hint_; }

 private:
  ErrorKind kind_;
  std::string hint_;
};

}  // namespace svd
