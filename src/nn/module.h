#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nn/savings.h"

namespace svd::nn {

using at::Tensor;

/// A parameter: where the tensor lives, and the shape it is declared with.
struct Parameter {
  std::string name;  ///< published name, dots between levels
  std::vector<std::int64_t> shape;
  Tensor* tensor;  ///< undefined until weights are loaded
  bool kernel;     ///< convolution kernel, kept in channels-last memory
  bool unread;     ///< part of the checkpoint that inference never reads (`Module::set_unread`)
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
  /// An empty name is for layers that `fold` makes: they are no part of a checkpoint.
  Module(Module& parent, std::string name) { parent.children_.emplace_back(std::move(name), this); }
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  virtual ~Module() = default;

  /// All parameters below, in order of declaration.
  std::vector<Parameter> parameters();

  /// Declares that inference reads no parameter of this module.
  void set_unread() { is_unread_ = true; }

  /// Turns the module into its form for inference, once, after its weights have been loaded: merged
  /// and packed tensors take the place of the published ones (Note: [Folding] in nn/layers.h).
  /// Gradients cannot be computed afterwards. Here: folds all children.
  virtual void fold();

  /// Drops all tensors.
  void release();

  /// Declares a parameter of this level; `tensor` must live as long as the module.
  void register_parameter(std::string name, std::vector<std::int64_t> shape, Tensor* tensor,
                          bool kernel = false);

 protected:
  /// Declares a tensor that `fold` makes, for `release`.
  void register_folded(Tensor* tensor) { folded_.push_back(tensor); }

  const Savings savings_ = savings();

 private:
  void collect(const std::string& prefix, bool unread, std::vector<Parameter>& out);

  std::vector<std::pair<std::string, Module*>> children_;
  std::vector<Parameter> parameters_;
  std::vector<Tensor*> folded_;
  bool is_unread_ = false;
};

/// A numbered list of modules of one type, like torch's ModuleList: children "0", "1", ...
template <class T>
class ModuleList : public Module {
 public:
  using Module::Module;

  template <class... Args>
  T& emplace(Args&&... args) {
    items_.push_back(
        std::make_unique<T>(*this, std::to_string(items_.size()), std::forward<Args>(args)...));
    return *items_.back();
  }

  std::size_t size() const { return items_.size(); }
  const T& operator[](std::size_t i) const { return *items_[i]; }
  T& operator[](std::size_t i) { return *items_[i]; }

 private:
  std::vector<std::unique_ptr<T>> items_;
};

}  // namespace svd::nn
