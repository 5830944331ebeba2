#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

namespace svd::nn {

using at::Tensor;

/// A parameter: where the tensor lives, and the shape it is declared with.
struct Parameter {
  std::string name;                 ///< published name, dots between levels
  std::vector<std::int64_t> shape;
  Tensor* tensor;                   ///< undefined until weights are loaded
  bool kernel;                      ///< convolution kernel, kept in channels-last memory
};

/// Base of layers and networks: a tree that knows its parameters under their published names.
/// Members register themselves with their parent, so a class reads like its key list:
///
///     Linear to_q{*this, "to_q", channels, channels, Bias::no};
///
/// Nothing is allocated or initialised at random before weights are loaded (torch::nn cannot leave
/// that out). Not copyable or movable, since the tree holds addresses of members.
class Module {
 public:
  Module() = default;
  Module(Module& parent, std::string name) { parent.children_.emplace_back(std::move(name), this); }
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  virtual ~Module() = default;

  /// All parameters below, in order of declaration.
  std::vector<Parameter> parameters();

  /// Drops all tensors.
  void release();

 protected:
  void register_parameter(std::string name, std::vector<std::int64_t> shape, Tensor* tensor,
                          bool kernel = false);

 private:
  void collect(const std::string& prefix, std::vector<Parameter>& out);

  std::vector<std::pair<std::string, Module*>> children_;
  std::vector<Parameter> parameters_;
};

}  // namespace svd::nn
