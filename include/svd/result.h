#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "svd/memory_plan.h"
#include "svd/observer.h"
#include "svd/request.h"

namespace svd {

struct StageTime {
  Stage stage;
  double seconds;
};

/// Work that was done once more in float32, since number format `from` gave no usable values.
struct Retry {
  Stage stage;
  Dtype from;
};

/// What a render did.
struct Result {
  Request request;    ///< as resolved
  std::string model;  ///< name or path of the model
  int frames_written = 0;
  std::vector<StageTime> stages;
  std::vector<Retry> retries;       ///< empty in nearly all renders
  MemoryPlan memory;                ///< the plan that was followed
  double seconds = 0;               ///< whole run
  std::int64_t peak_rss_bytes = 0;  ///< of the process so far
};

}  // namespace svd
