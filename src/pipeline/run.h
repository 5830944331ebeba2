#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>
#include <utility>

#include "pipeline/conditioning.h"
#include "pipeline/decode.h"
#include "pipeline/denoiser.h"
#include "pipeline/kept.h"
#include "pipeline/memory_plan.h"
#include "pipeline/preview.h"
#include "pipeline/profile.h"
#include "svd/frame_sink.h"
#include "svd/image.h"
#include "svd/observer.h"
#include "svd/result.h"
#include "weights/checkpoint.h"

namespace svd::pipeline {

/// One render: the three stages and what they share. Call them in order, without gradients. What
/// they are given must outlive this.
class Run {
 public:
  /// `result` has request and memory plan, made with `limits`, and gets the rest. `kept` holds
  /// networks of earlier runs that fit the request, and in the end what the plan lets stay; after
  /// an exception it is not to be used again. `remember`: results of conditioning are kept as well.
  Run(const weights::Checkpoint& checkpoint, Result& result, const MemoryLimits& limits, Kept& kept,
      bool remember, Observer& observer, std::stop_token stop);

  Conditioning condition(const InputImages& images, const Tensor& augmentation);

  /// noise: [1, F, 4, h, w] of unit variance -> latents [F, 4, h, w], float32 on the CPU.
  Tensor sample(const Conditioning& conditioning, const Tensor& noise);

  /// Decodes such latents into `sink` and finishes it. `may_be_black`: black frames are no sign of
  /// a failure.
  void decode(const Tensor& latents, FrameSink& sink, bool may_be_black);

 private:
  Tensor encode(const Image& image, const Tensor& augmentation);
  Tensor sample_in(Dtype dtype, const Conditioning& conditioning, const Tensor& noise);
  Decoded decode_in(Dtype dtype, const Tensor& latents, FrameSink& sink, std::int64_t first,
                    bool may_be_black);

  /// compute(request.*format); where that is broken, compute(float32). Throws Error{internal} if
  /// that is broken too, naming `what`.
  Tensor guarded(Stage stage, const char* what, Dtype Request::*format,
                 const std::function<Tensor(Dtype)>& compute);
  /// Makes ready to do in float32 what was done in request.*format, or throws if that cannot help.
  void begin_retry(Stage stage, const char* what, Flaw flaw, Dtype Request::*format,
                   int bit_depth = 8);
  void throw_if_stopped() const;
  void stage(Stage name, int total, const std::function<void()>& body);
  Tensor remembered(Memo& memo, const NetworkKey& key, const Tensor& input,
                    const std::function<Tensor()>& compute);

  WeightSource source(weights::Part part, const NetworkKey& key) const {
    return {checkpoint_, part, key.dtype, key.device, /*reads_ahead=*/key.device.is_cuda()};
  }

  const weights::Checkpoint& checkpoint_;
  const ModelConfig& config_;
  Result& result_;
  const Request& request_;
  MemoryPlan plan_;
  MemoryLimits limits_;
  Kept& kept_;
  bool remember_;
  const ProfileValues& profile_;
  c10::Device device_;
  Observer& observer_;
  std::stop_token stop_;
  std::function<void()> between_;
  std::optional<LatentPreview> preview_;  ///< where the observer wants one
};

}  // namespace svd::pipeline
