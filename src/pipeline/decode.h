#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "networks/vae/autoencoder.h"
#include "pipeline/guard.h"
#include "svd/frame_sink.h"

namespace svd::pipeline {

using at::Tensor;

struct DecodeOptions {
  double scaling_factor = 0.18215;
  std::int64_t chunk = 14;   ///< frames the temporal layers see together; defines the pixels
  bool round = false;        ///< 8-bit frames are rounded instead of cut
  bool may_be_black = true;  ///< else a chunk of black frames is broken
  std::int64_t first = 0;    ///< frame to begin with: the first of a chunk
  at::ScalarType dtype = at::kFloat;
  c10::Device device = at::kCPU;
};

/// How far decoding came.
struct Decoded {
  std::int64_t frames = 0;  ///< done, those before `first` included
  Flaw flaw = nullptr;      ///< of the next chunk
};

/// Quantises pixels in [-1, 1] once: [n, 3, H, W] -> [n, H, W, 3] on the CPU, uint8 or, for a
/// `bit_depth` of 16, uint16. `round` is for 8 bits; 16 are always rounded.
Tensor quantise(const Tensor& pixels, bool round, int bit_depth = 8);

/// Decodes latents [F, 4, h, w] (float32, as the UNet leaves them) chunk by chunk into `sink`.
/// When memory runs out, a chunk is computed again in smaller parts. `on_frame` is called with the
/// number of frames that are done, and may throw. Stops before a chunk that is broken.
Decoded decode_to_sink(const networks::VideoDecoder& decoder, const Tensor& latents,
                       const DecodeOptions& options, FrameSink& sink,
                       const std::function<void(int)>& on_frame, const nn::BeforeUnit& before);

}  // namespace svd::pipeline
