#include "nn/module.h"

namespace svd::nn {

std::vector<Parameter> Module::parameters() {
  std::vector<Parameter> out;
  collect("", out);
  return out;
}

void Module::release() {
  for (Parameter& parameter : parameters()) parameter.tensor->reset();
}

void Module::register_parameter(std::string name, std::vector<std::int64_t> shape, Tensor* tensor,
                                bool kernel) {
  parameters_.push_back({std::move(name), std::move(shape), tensor, kernel});
}

void Module::collect(const std::string& prefix, std::vector<Parameter>& out) {
  for (const Parameter& parameter : parameters_) {
    out.push_back(parameter);
    out.back().name = prefix + parameter.name;
  }
  for (const auto& [name, child] : children_) child->collect(prefix + name + ".", out);
}

}  // namespace svd::nn
