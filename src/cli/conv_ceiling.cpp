#include "cli/conv_ceiling.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/randn.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>

#include "cli/bench_recorder.h"
#include "cli/operation_cost.h"

namespace svd::cli {

double conv_ceiling_gflops(at::ScalarType dtype, const c10::Device& device) {
  constexpr int kRepetitions = 5;
  const c10::InferenceMode no_gradients;
  // The UNet's first level for 14 frames of 448x256.
  const auto make = [&](at::IntArrayRef shape) {
    return at::randn(shape, at::kFloat)
        .to(device, dtype)
        .contiguous(at::MemoryFormat::ChannelsLast);
  };
  const at::Tensor input = make({14, 320, 32, 56});
  const at::Tensor weight = make({320, 320, 3, 3});
  const Shape shapes[] = {input.sizes().vec(), weight.sizes().vec()};
  const double flops = count_flops("aten::conv2d", "", shapes, shapes[0]);
  double best = 0;
  for (int i = 0; i <= kRepetitions; ++i) {  // the first one warms up
    const auto begin = std::chrono::steady_clock::now();
    at::conv2d(input, weight, {}, 1, 1);
    synchronize(device);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    if (i > 0) best = std::max(best, flops / took.count() * 1e-9);
  }
  return best;
}

}  // namespace svd::cli
