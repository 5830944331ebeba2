#include "nn/embeddings.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/silu.h>

#include <cmath>

namespace svd::nn {

Tensor timestep_embedding(const Tensor& values, std::int64_t dim) {
  const auto dtype = values.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const std::int64_t half = dim / 2;
  const Tensor exponent =
      at::arange(half, values.options().dtype(dtype)).mul(-std::log(10000.0) / double(half));
  const Tensor phase = values.to(dtype).unsqueeze(1) * exponent.exp().unsqueeze(0);  // [n, half]
  return at::cat({phase.cos(), phase.sin()}, 1);
}

TimestepEmbedding::TimestepEmbedding(Module& parent, std::string name, std::int64_t in,
                                     std::int64_t hidden, std::int64_t out)
    : Module(parent, std::move(name)),
      linear_1(*this, "linear_1", in, hidden),
      linear_2(*this, "linear_2", hidden, out) {
  set_unit();
}

Tensor TimestepEmbedding::forward(const Tensor& x) const {
  return linear_2.forward(at::silu(linear_1.forward(x)));
}

}  // namespace svd::nn
