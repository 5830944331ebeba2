#include "media/muted_stderr.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

namespace svd::media {
namespace {

std::mutex& process_wide() {
  static std::mutex mutex;
  return mutex;
}

}  // namespace

MutedStderr::MutedStderr() : alone_(process_wide()) {
  fflush(stderr);
  const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere < 0) return;
  saved_ = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  if (saved_ >= 0) dup2(nowhere, STDERR_FILENO);
  close(nowhere);
}

MutedStderr::~MutedStderr() {
  if (saved_ < 0) return;
  fflush(stderr);
  dup2(saved_, STDERR_FILENO);
  close(saved_);
}

}  // namespace svd::media
