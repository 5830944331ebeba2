#include "nn/parts.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <vector>

namespace svd::nn {

PartLimits& part_limits() {
  static PartLimits limits;
  return limits;
}

bool goes_in_parts(std::int64_t bytes) {
  return bytes > part_limits().whole_bytes() && !at::GradMode::is_enabled();
}

Tensor by_pictures(const Tensor& x, std::int64_t bytes,
                   const std::function<Tensor(const Tensor&)>& compute, Tensor out) {
  const std::int64_t pictures = x.size(0);
  if (pictures == 1 || !goes_in_parts(bytes)) return compute(x);
  for_parts(pictures, bytes / pictures, [&](std::int64_t first, std::int64_t count) {
    const Tensor part = compute(x.narrow(0, first, count));
    if (!out.defined()) {
      std::vector<std::int64_t> sizes = part.sizes().vec();
      sizes[0] = pictures;
      out = at::empty(sizes, part.options(), at::MemoryFormat::ChannelsLast);
    }
    out.narrow(0, first, count).copy_(part);
  });
  return out;
}

void for_parts(std::int64_t total, std::int64_t unit_bytes,
               const std::function<void(std::int64_t, std::int64_t)>& body, std::int64_t block) {
  const std::int64_t fitting = part_limits().part_bytes / std::max<std::int64_t>(1, unit_bytes);
  const std::int64_t step = std::max<std::int64_t>(1, fitting / block) * block;
  for (std::int64_t first = 0; first < total; first += step)
    body(first, std::min(step, total - first));
}

}  // namespace svd::nn
