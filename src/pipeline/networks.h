#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <future>
#include <limits>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "nn/module.h"
#include "weights/checkpoint.h"

namespace svd::pipeline {

/// Compares all three parts of a checkpoint with the networks its configuration describes, without
/// allocating them. One line for each missing, unexpected and mis-shaped key; empty: complete.
std::vector<std::string> check_weights(const weights::Checkpoint& checkpoint);

/// Where a network's weights come from, and what they become.
struct WeightSource {
  const weights::Checkpoint& checkpoint;
  weights::Part part;
  at::ScalarType dtype;
  c10::Device device;
  /// While one unit is used, another thread reads and converts the next, on the host, page-locked
  /// for a GPU, whose copies then run beside computation: for a device that computes by itself.
  bool reads_ahead = false;
};

/// The weights of one network during a run, loaded unit by unit (nn::Module::units): what has to be
/// converted is converted tensor by tensor, then the unit is folded, and the pages of the file
/// behind it are given back to the system. The next unit is read ahead meanwhile: its pages, or as
/// WeightSource::reads_ahead says.
/// Weights may be streamed: declared units beyond `kept_bytes` are loaded when their turn comes,
/// and dropped when the next one's comes. In this order:
///
///     unet.prepare(..., weights.for_prepare());   // what only `prepare` reads comes and goes
///     weights.load();                             // what is kept, or load_first()
///     unet.forward(..., weights.for_forward());
///
/// For another clip all this may be done again: what was loaded stays, if nothing is streamed. The
/// same pixels either way. Drops all tensors of the network at its end. `between` is called
/// before every tensor and every unit and may throw. Loading throws Error{model}.
class NetworkWeights {
 public:
  static constexpr std::int64_t kKeepAll = std::numeric_limits<std::int64_t>::max();
  static constexpr std::int64_t kStreamAll = 0;

  /// Whether to fold the network: it pays where weights are used more than once.
  enum class Form { folded, published };

  /// `network` and the checkpoint must outlive this.
  NetworkWeights(nn::Module& network, const WeightSource& source, std::int64_t kept_bytes,
                 std::function<void()> between, Form form = Form::folded);
  ~NetworkWeights();
  NetworkWeights(const NetworkWeights&) = delete;
  NetworkWeights& operator=(const NetworkWeights&) = delete;

  void load();  ///< nothing of what is there
  /// As `load`, but of what is kept, declared units wait until their turn first comes: work begins
  /// at once, and a slow disk is read while the units before are computed.
  void load_first();
  void drop();
  /// Takes the place of what the constructor was given.
  void set_between(std::function<void()> between) { between_ = std::move(between); }
  nn::BeforeUnit for_prepare();
  nn::BeforeUnit for_forward();

 private:
  struct Loadable {
    nn::Module* module;
    std::vector<nn::Parameter> parameters;  ///< under their names in the network
    bool comes_and_goes;
    bool is_loaded = false;          ///< for good
    const Loadable* next = nullptr;  ///< whose turn came after this one's, once known
  };
  void load_kept(bool streamable);
  void visit(const nn::Module& module, nn::Use use);
  /// `next` may be null; where it is sure that its turn comes next, all of it is read.
  void prepare_next(const Loadable* next, nn::Use use, bool is_sure);
  at::Tensor read_one(const nn::Parameter& parameter, nn::Use use) const;
  std::vector<at::Tensor> stage(const Loadable& unit) const;
  const Loadable* expected_after(const Loadable& unit, nn::Use use) const;
  void drop_visited();
  void prefetch(const Loadable& unit, nn::Use use) const;
  void read(const Loadable& unit, nn::Use use, const Loadable* next, bool is_sure);
  void drop(const Loadable& unit, nn::Use use) const;
  void release_pages(const nn::Parameter& parameter) const;

  WeightSource source_;
  std::function<void()> between_;
  Form form_;
  std::vector<Loadable> units_;
  std::unordered_map<const nn::Module*, std::size_t> index_;
  Loadable* visited_ = nullptr;             ///< the one whose weights are there for now ...
  nn::Use visited_for_ = nn::Use::forward;  ///< ... and for which use

  /// A unit on its way: a tensor for each of its parameters that `forward` reads.
  struct Ahead {
    const Loadable* unit = nullptr;
    std::future<std::vector<at::Tensor>> tensors;
  };
  Ahead ahead_;
};

}  // namespace svd::pipeline
