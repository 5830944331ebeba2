#pragma once

#include "nn/layers.h"

namespace svd::nn {

/// Sinusoidal embedding of real values, [cos, sin] halves, frequencies 10000^(-i/half).
/// values: [n] -> [n, dim] in float32 (float64 for float64 values).
/// diffusers: models/embeddings.py Timesteps with flip_sin_to_cos, downscale_freq_shift 0.
Tensor timestep_embedding(const Tensor& values, std::int64_t dim);

/// diffusers: models/embeddings.py TimestepEmbedding: Linear, SiLU, Linear. [n, in] -> [n, out].
class TimestepEmbedding : public Module {
 public:
  TimestepEmbedding(Module& parent, std::string name, std::int64_t in, std::int64_t hidden,
                    std::int64_t out);
  Tensor forward(const Tensor& x) const;

  Linear linear_1;
  Linear linear_2;
};

}  // namespace svd::nn
