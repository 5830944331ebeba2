#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "nn/module.h"

/// Leaf layers. Parameters have the names, shapes and meaning of their torch.nn namesakes; pictures
/// are channels-last (nn/layout.h).
namespace svd::nn {

enum class Bias { no, yes };

/// x: [..., in] -> [..., out].
class Linear : public Module {
 public:
  Linear(Module& parent, std::string name, std::int64_t in, std::int64_t out,
         Bias bias = Bias::yes);
  Tensor forward(const Tensor& x) const;

  Tensor weight;  // [out, in]
  Tensor bias;    // [out], undefined without
};

/// 2-D convolution over a picture, square kernel.
class Conv2d : public Module {
 public:
  Conv2d(Module& parent, std::string name, std::int64_t in, std::int64_t out, std::int64_t kernel,
         std::int64_t stride = 1, std::int64_t padding = 0, Bias bias = Bias::yes);
  Tensor forward(const Tensor& picture) const;

  Tensor weight;  // [out, in, kernel, kernel]
  Tensor bias;

 private:
  std::int64_t stride_;
  std::int64_t padding_;
};

/// Conv3d with kernel [3, 1, 1] and padding [1, 0, 0], run as a 3x1 convolution over the columns of
/// a clip (Note: [Temporal layout]). picture: [B*F, in, h, w] -> [B*F, out, h, w].
class TemporalConv : public Module {
 public:
  TemporalConv(Module& parent, std::string name, std::int64_t in, std::int64_t out);
  Tensor forward(const Tensor& picture, std::int64_t frames) const;

  Tensor weight;  // [out, in, 3, 1, 1]
  Tensor bias;
};

/// GroupNorm with 32 groups, optionally followed by SiLU.
class GroupNorm : public Module {
 public:
  GroupNorm(Module& parent, std::string name, std::int64_t channels, double eps);
  Tensor forward(const Tensor& picture) const { return apply(picture, false); }
  Tensor forward_silu(const Tensor& picture) const { return apply(picture, true); }

  /// Statistics over the frames of each clip together, then SiLU; picture in, picture out.
  Tensor forward_clip_silu(const Tensor& picture, std::int64_t frames) const;

  Tensor weight;  // [channels]
  Tensor bias;

 private:
  Tensor apply(const Tensor& x, bool silu) const;
  double eps_;
};

/// Over the last dimension.
class LayerNorm : public Module {
 public:
  LayerNorm(Module& parent, std::string name, std::int64_t channels, double eps = 1e-5);
  Tensor forward(const Tensor& x) const;

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

  Tensor mix_factor;  // [1]
};

}  // namespace svd::nn
