#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nn/savings.h"

namespace svd::nn {

using at::Tensor;

class Module;

/// When inference reads a parameter.
enum class Use {
  forward,  ///< at every call
  prepare,  ///< once a clip, to compute what is constant over it
  never,    ///< it is part of the checkpoint only
};

/// A parameter: where the tensor lives, and the shape it is declared with.
struct Parameter {
  std::string name;  ///< published name, dots between levels
  std::vector<std::int64_t> shape;
  Tensor* tensor;  ///< undefined until weights are loaded
  bool kernel;     ///< convolution kernel, kept in channels-last memory
  Use use = Use::forward;
};

/// A module whose weights are loaded, folded and dropped together.
struct Unit {
  std::string prefix;  ///< of its parameters' names in the network, with the last dot
  Module* module;
};

/// Called just before a network uses one of its declared units: the moment to load its weights, and
/// to stop the computation by throwing.
using BeforeUnit = std::function<void(const Module& unit)>;

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

  /// The tree cut into units: what was declared as one, and where nothing was, the layers one by
  /// one. Every parameter belongs to one unit.
  std::vector<Unit> units();
  /// Whether the module is a declared unit that may be dropped when another is used.
  bool is_streamable() const { return is_unit_ && !is_kept_; }

  /// Declares that the module is used together with others, so that it has to stay.
  void set_kept() { is_kept_ = true; }

  /// Declares when inference reads the parameters of this module.
  void set_use(Use use) { use_ = use; }

  /// Turns the module into its form for inference, once, after its weights have been loaded: merged
  /// and packed tensors take the place of the published ones (Note: [Folding] in nn/layers.h).
  /// Gradients cannot be computed afterwards. Here: folds all children.
  virtual void fold();

  /// How much larger the weights of a unit get by `fold`.
  virtual double growth_when_folded() const { return 1; }

  /// Drops all tensors.
  void release();

  /// Declares a parameter of this level; `tensor` must live as long as the module.
  void register_parameter(std::string name, std::vector<std::int64_t> shape, Tensor* tensor,
                          bool kernel = false);

 protected:
  /// Declares the module as a unit. What overrides `fold` and has no parameters of its own has to
  /// be one, or part of one.
  void set_unit() { is_unit_ = true; }

  /// Declares a tensor that `fold` makes, for `release`.
  void register_folded(Tensor* tensor) { folded_.push_back(tensor); }

  const Savings savings_ = savings();

 private:
  void collect(const std::string& prefix, Use use, std::vector<Parameter>& out);
  void collect_units(const std::string& prefix, std::vector<Unit>& out);

  std::vector<std::pair<std::string, Module*>> children_;
  std::vector<Parameter> parameters_;
  std::vector<Tensor*> folded_;
  Use use_ = Use::forward;
  bool is_unit_ = false;
  bool is_kept_ = false;
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
