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

/// What a render did.
struct Result {
  Request request;    ///< as resolved
  std::string model;  ///< name or path of the model
  int frames_written = 0;
  std::vector<StageTime> stages;
  MemoryPlan memory;                ///< the plan that was followed
  double seconds = 0;               ///< whole run
  std::int64_t peak_rss_bytes = 0;  ///< of the process so far
};

}  // namespace svd
