#include "nn/module.h"

namespace svd::nn {

std::vector<Parameter> Module::parameters() {
  std::vector<Parameter> out;
  collect("", false, out);
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
  parameters_.push_back({std::move(name), std::move(shape), tensor, kernel, false});
}

void Module::collect(const std::string& prefix, bool unread, std::vector<Parameter>& out) {
  unread = unread || is_unread_;
  for (const Parameter& parameter : parameters_) {
    out.push_back(parameter);
    out.back().name = prefix + parameter.name;
    out.back().unread = unread;
  }
  for (const auto& [name, child] : children_) {
    if (!name.empty()) child->collect(prefix + name + ".", unread, out);
  }
}

}  // namespace svd::nn
