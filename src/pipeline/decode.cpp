#include "pipeline/decode.h"

#include <ATen/TensorOperators.h>

#include <algorithm>

#include "nn/parts.h"
#include "pipeline/device.h"
#include "pipeline/errors.h"
#include "pipeline/memory_plan.h"

namespace svd::pipeline {

Tensor quantise(const Tensor& pixels, bool round, int bit_depth) {
  const bool deep = bit_depth > 8;
  Tensor levels = ((pixels.to(at::kFloat) + 1) / 2).clamp(0, 1).mul(deep ? 65535 : 255);
  if (round || deep) levels = levels.round();
  return levels.to(deep ? at::kUInt16 : at::kByte).permute({0, 2, 3, 1}).contiguous().cpu();
}

namespace {

// [n, 4, h, w] -> [n, 3, H, W]. Where memory runs out the chunk is computed again in smaller parts.
Tensor decode_chunk(const networks::VideoDecoder& decoder, const Tensor& latents,
                    const c10::Device& device, const nn::BeforeUnit& before) {
  for (;;) {
    try {
      return decoder.decode(latents, latents.size(0), before);
    } catch (const std::exception& error) {
      const auto smaller = smaller_parts(nn::part_limits());
      if (!is_out_of_memory(error) || !smaller) throw;
      nn::part_limits() = *smaller;
    }
    empty_cache(device);
  }
}

}  // namespace

Decoded decode_to_sink(const networks::VideoDecoder& decoder, const Tensor& latents,
                       const DecodeOptions& options, FrameSink& sink,
                       const std::function<void(int)>& on_frame, const nn::BeforeUnit& before) {
  const std::int64_t frames = latents.size(0);
  for (std::int64_t begin = options.first; begin < frames; begin += options.chunk) {
    const std::int64_t count = std::min(options.chunk, frames - begin);
    const Tensor chunk =
        latents.narrow(0, begin, count).to(options.device) / options.scaling_factor;
    const Tensor pixels = decode_chunk(decoder, chunk.to(options.dtype), options.device, before);
    if (const Flaw flaw = flaw_of(pixels)) return {begin, flaw};
    const Tensor levels = quantise(pixels, options.round, sink.bit_depth());
    const Flaw flaw = options.may_be_black ? nullptr : flaw_of_levels(levels);
    if (flaw) return {begin, flaw};
    for (std::int64_t i = 0; i < count; ++i) {
      const Tensor frame = levels[i];
      sink.write({static_cast<const std::uint8_t*>(frame.const_data_ptr()), frame.nbytes()});
      on_frame(static_cast<int>(begin + i) + 1);
    }
  }
  return {frames, nullptr};
}

}  // namespace svd::pipeline
