#include "nn/module.h"

#include <algorithm>

namespace svd::nn {

std::vector<Parameter> Module::parameters() {
  std::vector<Parameter> out;
  collect("", Use::forward, out);
  return out;
}

std::vector<Unit> Module::units() {
  std::vector<Unit> out;
  collect_units("", out);
  return out;
}

void Module::fold() {
  for (const auto& [name, child] : children_) {
    if (!name.empty()) child->fold();
  }
}

void Module::release() {
  for (const Parameter& parameter : parameters_) parameter.tensor->reset();
  for (Tensor* const tensor : folded_) tensor->reset();
  for (const auto& [name, child] : children_) child->release();
}

void Module::register_parameter(std::string name, std::vector<std::int64_t> shape, Tensor* tensor,
                                bool kernel) {
  parameters_.push_back({std::move(name), std::move(shape), tensor, kernel});
}

void Module::collect(const std::string& prefix, Use use, std::vector<Parameter>& out) {
  use = std::max(use, use_);  // the rarest on the way down
  for (const Parameter& parameter : parameters_) {
    out.push_back(parameter);
    out.back().name = prefix + parameter.name;
    out.back().use = use;
  }
  for (const auto& [name, child] : children_) {
    if (!name.empty()) child->collect(prefix + name + ".", use, out);
  }
}

void Module::collect_units(const std::string& prefix, std::vector<Unit>& out) {
  if (is_unit_ || !parameters_.empty()) {
    out.push_back({prefix, this});
    return;
  }
  for (const auto& [name, child] : children_) {
    if (!name.empty()) child->collect_units(prefix + name + ".", out);
  }
}

}  // namespace svd::nn
