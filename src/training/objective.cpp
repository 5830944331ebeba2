#include "training/objective.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/stack.h>

namespace svd::training {

std::vector<Trainable> trained_among(const std::vector<nn::Parameter>& parameters,
                                     const std::function<bool(const std::string&)>& is_trained) {
  std::vector<Trainable> out;
  for (const nn::Parameter& parameter : parameters) {
    if (!is_trained(parameter.name)) continue;
    parameter.tensor->set_requires_grad(true);
    out.push_back({parameter.name, *parameter.tensor});
  }
  return out;
}

NamedTensors with_values(const std::vector<nn::Parameter>& parameters,
                         const std::function<bool(const std::string&)>& is_trained,
                         const std::vector<at::Tensor>& values, bool float16) {
  NamedTensors tensors;
  std::size_t next = 0;
  for (const nn::Parameter& parameter : parameters) {
    const at::Tensor value =
        (is_trained(parameter.name) ? values[next++] : parameter.tensor->detach()).cpu();
    tensors.emplace_back(parameter.name, float16 ? value.to(at::kHalf) : value);
  }
  return tensors;
}

at::Tensor normal(at::IntArrayRef shape, const at::Generator& generator,
                  const c10::Device& device) {
  return at::randn(shape, generator).to(device);
}

at::Tensor frames_of(const std::vector<ClipRef>& clips, std::int64_t frames) {
  std::vector<at::Tensor> all;
  for (const ClipRef& clip : clips) {
    const at::Tensor whole = clip.cache->frames(clip.info());
    all.push_back(frames > 0 ? whole.narrow(0, 0, frames) : whole);
  }
  return at::stack(all);
}

at::Tensor to_pixels(const at::Tensor& frames) {
  return (frames.to(at::kFloat) / 127.5 - 1).permute({0, 3, 1, 2});
}

}  // namespace svd::training
