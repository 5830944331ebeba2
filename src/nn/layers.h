#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "nn/module.h"
#include "ops/ops.h"
#include "ops/packed.h"

/// Leaf layers. Parameters have the names, shapes and meaning of their torch.nn namesakes; pictures
/// are channels-last (nn/layout.h).
///
/// Note: [Folding]
/// A network is loaded under its published names, and its `forward` can be differentiated. For
/// inference `Module::fold` is called once, after loading, from the root down. What a module does
/// to its own tensors stands in its `fold`: linear layers and convolutions hand their weights to
/// the CPU's library in its own layout (ops/packed.h), query, key and value become one layer, a
/// blend's alpha goes into the last weights of the branch it scales, and an upsampled convolution
/// becomes four small ones. All of it computes the same function of real numbers; sums may round
/// differently. Every rewrite has a switch (nn/savings.h), so that its worth can be measured.
namespace svd::nn {

enum class Bias { no, yes };

/// x: [..., in] -> [..., out].
class Linear : public Module {
 public:
  Linear(Module& parent, std::string name, std::int64_t in, std::int64_t out,
         Bias bias = Bias::yes);
  Tensor forward(const Tensor& x) const { return apply(x, ops::Epilogue::none, {}, bias); }

  /// forward(x) + other, with `other_bias` in the place of the layer's own.
  Tensor forward_add(const Tensor& x, const Tensor& other, const Tensor& other_bias) const {
    return apply(x, ops::Epilogue::add, other, other_bias);
  }
  Tensor forward_add(const Tensor& x, const Tensor& other) const {
    return forward_add(x, other, bias);
  }
  Tensor forward_gelu(const Tensor& x) const { return apply(x, ops::Epilogue::gelu, {}, bias); }
  Tensor forward_multiply(const Tensor& x, const Tensor& other) const {
    return apply(x, ops::Epilogue::multiply, other, bias);
  }
  void fold() override;
  bool is_loaded() const { return weight.defined() || packed_.defined(); }

  Tensor weight;  // [out, in]; undefined when folded into the library's layout
  Tensor bias;    // [out], undefined without

 private:
  Tensor apply(const Tensor& x, ops::Epilogue epilogue, const Tensor& other,
               const Tensor& bias) const;
  Tensor packed_;
};

/// 2-D convolution over a picture, square kernel.
class Conv2d : public Module {
 public:
  Conv2d(Module& parent, std::string name, std::int64_t in, std::int64_t out, std::int64_t kernel,
         std::int64_t stride = 1, std::int64_t padding = 0, Bias bias = Bias::yes);
  Tensor forward(const Tensor& picture) const { return apply(picture, {}, bias); }

  /// With `other_bias` in the place of the layer's own.
  Tensor forward(const Tensor& picture, const Tensor& other_bias) const {
    return apply(picture, {}, other_bias);
  }
  /// forward(picture) + other.
  Tensor forward_add(const Tensor& picture, const Tensor& other) const {
    return apply(picture, other, bias);
  }
  void fold() override;
  bool is_loaded() const { return weight.defined() || packed_.defined(); }

  Tensor weight;  // [out, in, kernel, kernel]; undefined when folded into the library's layout
  Tensor bias;

 private:
  Tensor apply(const Tensor& picture, const Tensor& other, const Tensor& bias) const;
  std::int64_t stride_;
  std::int64_t padding_;
  Tensor packed_;
};

/// Conv3d with kernel [3, 1, 1] and padding [1, 0, 0], run as a 3x1 convolution over the columns of
/// a clip (Note: [Temporal layout]). picture: [B*F, in, h, w] -> [B*F, out, h, w].
class TemporalConv : public Module {
 public:
  TemporalConv(Module& parent, std::string name, std::int64_t in, std::int64_t out);
  Tensor forward(const Tensor& picture, std::int64_t frames) const {
    return apply(picture, frames, {}, bias);
  }
  /// With `other_bias` in the place of the layer's own.
  Tensor forward(const Tensor& picture, std::int64_t frames, const Tensor& other_bias) const {
    return apply(picture, frames, {}, other_bias);
  }
  /// forward(picture) + other.
  Tensor forward_add(const Tensor& picture, std::int64_t frames, const Tensor& other) const {
    return apply(picture, frames, other, bias);
  }
  /// On columns [B, in, F, any], which may be a part; other: undefined or to be added.
  Tensor forward_columns(const Tensor& columns, const Tensor& other) const {
    return apply_columns(columns, other, bias);
  }
  void fold() override;

  Tensor weight;  // [out, in, 3, 1, 1]; undefined when folded into the library's layout
  Tensor bias;

 private:
  Tensor apply(const Tensor& picture, std::int64_t frames, const Tensor& other,
               const Tensor& bias) const;
  Tensor apply_columns(const Tensor& columns, const Tensor& other, const Tensor& bias) const;
  Tensor packed_;
};

/// GroupNorm with 32 groups, optionally followed by SiLU.
class GroupNorm : public Module {
 public:
  GroupNorm(Module& parent, std::string name, std::int64_t channels, double eps);
  Tensor forward(const Tensor& picture) const { return apply(picture, {}, false); }
  Tensor forward_silu(const Tensor& picture) const { return apply(picture, {}, true); }
  double eps() const { return eps_; }

  /// Whether `statistics` and `normalize_silu` take pictures like this one.
  static bool knows_parts_of(const Tensor& picture);

  /// forward_silu(cat({picture, skip}, 1)) without the concatenation; `skip` may be undefined.
  Tensor forward_silu(const Tensor& picture, const Tensor& skip) const {
    return apply(picture, skip, true);
  }

  /// Statistics over the frames of each clip together, then SiLU; picture in, picture out.
  Tensor forward_clip_silu(const Tensor& picture, std::int64_t frames) const;

  /// The same for a part of the columns [B, C, F, h*w], on the CPU: statistics of all columns
  /// first, then any part with them (Note: [Parts] in nn/parts.h).
  Tensor statistics(const Tensor& columns) const;
  Tensor normalize_silu(const Tensor& part, const Tensor& statistics) const;

  Tensor weight;  // [channels]
  Tensor bias;

 private:
  Tensor apply(const Tensor& x, const Tensor& second, bool silu) const;
  double eps_;
};

/// Over the last dimension.
class LayerNorm : public Module {
 public:
  LayerNorm(Module& parent, std::string name, std::int64_t channels, double eps = 1e-5);
  Tensor forward(const Tensor& x) const;

  /// x + other + vectors and its norm, see ops::add_layer_norm.
  ops::SumAndNorm add(const Tensor& x, const Tensor& other, const Tensor& vectors) const {
    return ops::add_layer_norm(x, other, vectors, weight, bias, eps_);
  }

  Tensor weight;
  Tensor bias;

 private:
  double eps_;
};

/// diffusers' AlphaBlender with a learned factor: alpha = sigmoid(mix_factor).
class AlphaBlender : public Module {
 public:
  AlphaBlender(Module& parent, std::string name);
  Tensor alpha() const;  // [1], dtype of the parameter

  /// scaled = tensor * alpha, or * (1 - alpha), in the tensor's type.
  enum class Share { alpha, rest };
  Tensor scale(const Tensor& tensor, Share share) const;

  Tensor mix_factor;  // [1]
};

}  // namespace svd::nn
