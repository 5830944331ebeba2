#include "training/adamw.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_lerp.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace svd::training {
namespace {

constexpr double kEpsilon = 1e-8;
constexpr double kLastRate = 0.1;  // of the highest

std::vector<at::Tensor> chosen(const std::vector<at::Tensor>& all,
                               const std::vector<std::size_t>& which) {
  std::vector<at::Tensor> out;
  for (const std::size_t i : which) out.push_back(all[i]);
  return out;
}

std::vector<at::Tensor> values_of(const std::vector<Trainable>& parameters) {
  std::vector<at::Tensor> values;
  for (const Trainable& parameter : parameters) values.push_back(parameter.value);
  return values;
}

}  // namespace

AdamW::AdamW(std::vector<Trainable> parameters, const TrainConfig& config)
    : config_(config), parameters_(std::move(parameters)) {
  const at::NoGradGuard no_gradients;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const at::Tensor& value = parameters_[i].value;
    averages_.push_back(value.detach().clone());
    first_moments_.push_back(at::zeros_like(value));
    second_moments_.push_back(at::zeros_like(value));
    steps_done_.push_back(at::zeros({}, value.options()));
    (value.dim() > 1 ? decaying_ : others_).push_back(i);
  }
}

double AdamW::learning_rate(std::int64_t step) const {
  double rate = config_.learning_rate;
  if (step < config_.warmup_steps) rate *= double(step + 1) / double(config_.warmup_steps);
  if (config_.cosine_decay) {
    const double done = double(step) / double(config_.steps);
    rate *=
        kLastRate + (1 - kLastRate) * 0.5 * (1 + std::cos(std::numbers::pi * std::min(done, 1.0)));
  }
  return rate;
}

double AdamW::step(std::int64_t step) {
  const at::NoGradGuard no_gradients;
  std::vector<at::Tensor> gradients;
  for (const Trainable& parameter : parameters_) {
    at::Tensor& gradient = parameter.value.mutable_grad();
    if (!gradient.defined()) gradient = at::zeros_like(parameter.value);  // not read
    gradients.push_back(gradient);
  }
  const double norm = at::stack(at::_foreach_norm(gradients)).norm().item<double>();
  if (std::isfinite(norm)) {
    if (config_.clip_norm > 0 && norm > config_.clip_norm)
      at::_foreach_mul_(gradients, config_.clip_norm / norm);
    const double rate = learning_rate(step);
    update(decaying_, rate, config_.weight_decay);
    update(others_, rate, 0);
    average(step);
  }
  for (const Trainable& parameter : parameters_) parameter.value.mutable_grad().reset();
  return norm;
}

void AdamW::update(const std::vector<std::size_t>& group, double rate, double weight_decay) {
  if (group.empty()) return;
  std::vector<at::Tensor> values, gradients;
  for (const std::size_t i : group) {
    values.push_back(parameters_[i].value);
    gradients.push_back(parameters_[i].value.grad());
  }
  const std::vector<at::Tensor> steps = chosen(steps_done_, group);
  at::_foreach_add_(steps, 1);
  at::_fused_adamw_(values, gradients, chosen(first_moments_, group),
                    chosen(second_moments_, group), {}, steps, rate, config_.beta1, config_.beta2,
                    weight_decay, kEpsilon, /*amsgrad=*/false, /*maximize=*/false);
}

void AdamW::average(std::int64_t step) {
  const double decay = std::min(config_.ema_decay, (1.0 + double(step)) / (10.0 + double(step)));
  at::_foreach_lerp_(averages_, values_of(parameters_), 1 - decay);
}

std::vector<std::pair<std::string, at::Tensor>> AdamW::state() const {
  std::vector<std::pair<std::string, at::Tensor>> state;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const std::string& name = parameters_[i].name;
    state.emplace_back("parameter." + name, parameters_[i].value.detach());
    state.emplace_back("average." + name, averages_[i]);
    state.emplace_back("first_moment." + name, first_moments_[i]);
    state.emplace_back("second_moment." + name, second_moments_[i]);
  }
  return state;
}

void AdamW::set_steps_done(std::int64_t steps) {
  for (const at::Tensor& count : steps_done_) count.fill_(double(steps));
}

}  // namespace svd::training
