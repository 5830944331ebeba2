#include "nn/layers.h"

#include <ATen/ops/conv2d.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/sigmoid.h>

#include "nn/layout.h"
#include "ops/ops.h"

namespace svd::nn {

Linear::Linear(Module& parent, std::string name, std::int64_t in, std::int64_t out, Bias with_bias)
    : Module(parent, std::move(name)) {
  register_parameter("weight", {out, in}, &weight);
  if (with_bias == Bias::yes) register_parameter("bias", {out}, &bias);
}

Tensor Linear::forward(const Tensor& x) const { return at::linear(x, weight, bias); }

Conv2d::Conv2d(Module& parent, std::string name, std::int64_t in, std::int64_t out,
               std::int64_t kernel, std::int64_t stride, std::int64_t padding, Bias with_bias)
    : Module(parent, std::move(name)), stride_(stride), padding_(padding) {
  register_parameter("weight", {out, in, kernel, kernel}, &weight, true);
  if (with_bias == Bias::yes) register_parameter("bias", {out}, &bias);
}

Tensor Conv2d::forward(const Tensor& picture) const {
  return channels_last(at::conv2d(picture, weight, bias, stride_, padding_));
}

TemporalConv::TemporalConv(Module& parent, std::string name, std::int64_t in, std::int64_t out)
    : Module(parent, std::move(name)) {
  register_parameter("weight", {out, in, 3, 1, 1}, &weight, true);
  register_parameter("bias", {out}, &bias);
}

Tensor TemporalConv::forward(const Tensor& picture, std::int64_t frames) const {
  const Tensor columns = picture_to_columns(picture, frames);  // [B, C, F, h*w]
  const Tensor mixed = at::conv2d(columns, weight.squeeze(-1), bias, {1, 1}, at::IntArrayRef{1, 0});
  return to_picture(mixed, frames, picture.size(2), picture.size(3));
}

GroupNorm::GroupNorm(Module& parent, std::string name, std::int64_t channels, double eps)
    : Module(parent, std::move(name)), eps_(eps) {
  register_parameter("weight", {channels}, &weight);
  register_parameter("bias", {channels}, &bias);
}

Tensor GroupNorm::apply(const Tensor& x, bool silu) const {
  return ops::group_norm(x, 32, weight, bias, eps_, silu);
}

Tensor GroupNorm::forward_clip_silu(const Tensor& picture, std::int64_t frames) const {
  const Tensor normed = apply(picture_to_clip(picture, frames), true);  // [B, C, F*h, w]
  return to_picture(normed, frames, picture.size(2), picture.size(3));
}

LayerNorm::LayerNorm(Module& parent, std::string name, std::int64_t channels, double eps)
    : Module(parent, std::move(name)), eps_(eps) {
  register_parameter("weight", {channels}, &weight);
  register_parameter("bias", {channels}, &bias);
}

Tensor LayerNorm::forward(const Tensor& x) const {
  return at::layer_norm(x, weight.sizes(), weight, bias, eps_);
}

AlphaBlender::AlphaBlender(Module& parent, std::string name) : Module(parent, std::move(name)) {
  register_parameter("mix_factor", {1}, &mix_factor);
}

Tensor AlphaBlender::alpha() const { return at::sigmoid(mix_factor); }

}  // namespace svd::nn
