#include "nn/checkpoint.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "nn/autocast.h"

namespace svd::nn {
namespace {

thread_local bool enabled = false;

using Compute = std::function<Tensor(const std::vector<Tensor>&)>;

c10::DeviceType device_type_of(const std::vector<Tensor>& inputs) {
  const auto first = std::find_if(inputs.begin(), inputs.end(),
                                  [](const Tensor& input) { return input.defined(); });
  return first->device().type();
}

/// The place of the whole computation in the graph.
class Checkpoint : public torch::autograd::Node {
 public:
  Checkpoint(Compute compute, std::vector<Tensor> inputs)
      : compute_(std::move(compute)), inputs_(std::move(inputs)) {}

  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) override {
    std::vector<Tensor> inputs;
    for (const Tensor& input : inputs_)
      inputs.push_back(input.defined() ? input.detach().set_requires_grad(input.requires_grad())
                                       : Tensor());
    {
      const at::AutoGradMode with_gradients(true);
      const GradientCheckpointing not_again(false);
      const Autocast as_before(autocast_, type_);
      const Tensor output = compute_(inputs);
      if (output.requires_grad()) torch::autograd::backward({output}, {gradients[0]});
    }
    torch::autograd::variable_list out;
    for (const Tensor& input : inputs) out.push_back(input.defined() ? input.grad() : Tensor());
    return out;
  }

  void release_variables() override { inputs_.clear(); }

 private:
  Compute compute_;
  std::vector<Tensor> inputs_;
  c10::DeviceType type_ = device_type_of(inputs_);
  AutocastState autocast_ = AutocastState::of(type_);
};

}  // namespace

GradientCheckpointing::GradientCheckpointing(bool on) : previous_(enabled) { enabled = on; }
GradientCheckpointing::~GradientCheckpointing() { enabled = previous_; }
bool GradientCheckpointing::is_enabled() { return enabled && at::GradMode::is_enabled(); }

Tensor checkpoint(Compute compute, std::vector<Tensor> inputs) {
  Tensor output;
  {
    const at::NoGradGuard no_gradients;
    output = compute(inputs);
  }
  auto edges = torch::autograd::collect_next_edges(inputs);
  auto node = std::make_shared<Checkpoint>(std::move(compute), std::move(inputs));
  node->set_next_edges(std::move(edges));
  torch::autograd::set_history(output, node);
  return output;
}

}  // namespace svd::nn
