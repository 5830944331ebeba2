#pragma once

#include <mutex>

namespace svd::media {

/// While one lives, nothing that is written to standard error gets there.
///
/// OpenCV logs what it cannot decode, and libpng and libjpeg print their warnings from deep inside
/// it, with no way to stop them: the file descriptor is turned away for as long as the decoder
/// runs. It is the whole process's, so only one lives at a time, and other threads' words in
/// between are lost.
class MutedStderr {
 public:
  MutedStderr();
  ~MutedStderr();
  MutedStderr(const MutedStderr&) = delete;
  MutedStderr& operator=(const MutedStderr&) = delete;

 private:
  std::unique_lock<std::mutex> alone_;
  int saved_ = -1;
};

}  // namespace svd::media
