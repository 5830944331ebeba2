#pragma once

#include <c10/core/Device.h>

#include <functional>
#include <memory>

#include "pipeline/denoiser.h"

namespace svd::pipeline {

/// Work of a device that is recorded once and then repeated without the host: a CUDA graph.
class Recording {
 public:
  virtual ~Recording() = default;

  /// Records what `body` asks of the device; nothing is computed yet. When `body` throws, so does
  /// this, and nothing is recorded.
  virtual void record(const std::function<void()>& body) = 0;

  /// Computes what was recorded, on the tensors that it was recorded with.
  virtual void replay() = 0;
};

/// Of a CUDA device. Throws Error{device} where that is not possible.
std::unique_ptr<Recording> cuda_recording(const c10::Device& device);

/// A step that is computed when it is first called, so that libraries try their algorithms out,
/// recorded the second time and replayed from then on. A step that cannot be recorded is computed
/// at every call. `before_recording`: the moment to free memory that the first call has left.
GuidedStep replayed(GuidedStep step, std::shared_ptr<Recording> recording,
                    std::function<void()> before_recording);

}  // namespace svd::pipeline
