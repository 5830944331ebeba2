#include "nn/layers.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/sigmoid.h>

#include "nn/layout.h"
#include "ops/group_norm_cpu.h"
#include "ops/ops.h"

namespace svd::nn {

Linear::Linear(Module& parent, std::string name, std::int64_t in, std::int64_t out, Bias with_bias)
    : Module(parent, std::move(name)) {
  register_parameter("weight", {out, in}, &weight);
  if (with_bias == Bias::yes) register_parameter("bias", {out}, &bias);
  register_folded(&packed_);
}

void Linear::fold() {
  if (!savings_.packed_weights || !ops::can_pack(weight)) return;
  packed_ = ops::pack_linear(weight);
  weight.reset();
}

Tensor Linear::apply(const Tensor& x, ops::Epilogue epilogue, const Tensor& other,
                     const Tensor& with_bias) const {
  if (packed_.defined()) return ops::packed_linear(x, packed_, with_bias, epilogue, other);
  Tensor y = at::linear(x, weight, with_bias);
  switch (epilogue) {
    case ops::Epilogue::gelu:
      return at::gelu(y);
    case ops::Epilogue::add:
      return y + other;
    case ops::Epilogue::multiply:
      return y * other;
    case ops::Epilogue::none:
      break;
  }
  return y;
}

Conv2d::Conv2d(Module& parent, std::string name, std::int64_t in, std::int64_t out,
               std::int64_t kernel, std::int64_t stride, std::int64_t padding, Bias with_bias)
    : Module(parent, std::move(name)), stride_(stride), padding_(padding) {
  register_parameter("weight", {out, in, kernel, kernel}, &weight, true);
  if (with_bias == Bias::yes) register_parameter("bias", {out}, &bias);
  register_folded(&packed_);
}

void Conv2d::fold() {
  if (!savings_.packed_weights || !ops::can_pack(weight)) return;
  packed_ = ops::pack_conv(weight, {stride_, stride_}, {padding_, padding_});
  weight.reset();
}

Tensor Conv2d::apply(const Tensor& picture, const Tensor& other, const Tensor& with_bias) const {
  if (packed_.defined()) {
    return ops::packed_conv(picture, packed_, with_bias, {stride_, stride_}, {padding_, padding_},
                            other);
  }
  const Tensor y = channels_last(at::conv2d(picture, weight, with_bias, stride_, padding_));
  return other.defined() ? y + other : y;
}

TemporalConv::TemporalConv(Module& parent, std::string name, std::int64_t in, std::int64_t out)
    : Module(parent, std::move(name)) {
  register_parameter("weight", {out, in, 3, 1, 1}, &weight, true);
  register_parameter("bias", {out}, &bias);
  register_folded(&packed_);
}

void TemporalConv::fold() {
  if (!savings_.packed_weights || !ops::can_pack(weight)) return;
  packed_ = ops::pack_conv(weight.squeeze(-1), {1, 1}, {1, 0});
  weight.reset();
}

Tensor TemporalConv::apply(const Tensor& picture, std::int64_t frames, const Tensor& other,
                           const Tensor& with_bias) const {
  const Tensor mixed =
      apply_columns(picture_to_columns(picture, frames),
                    other.defined() ? picture_to_columns(other, frames) : other, with_bias);
  return to_picture(mixed, frames, picture.size(2), picture.size(3));
}

Tensor TemporalConv::apply_columns(const Tensor& columns, const Tensor& other,
                                   const Tensor& with_bias) const {
  if (packed_.defined())
    return ops::packed_conv(columns, packed_, with_bias, {1, 1}, {1, 0}, other);
  const Tensor mixed =
      at::conv2d(columns, weight.squeeze(-1), with_bias, {1, 1}, at::IntArrayRef{1, 0});
  return other.defined() ? mixed + other : mixed;
}

GroupNorm::GroupNorm(Module& parent, std::string name, std::int64_t channels, double eps)
    : Module(parent, std::move(name)), eps_(eps) {
  register_parameter("weight", {channels}, &weight);
  register_parameter("bias", {channels}, &bias);
}

Tensor GroupNorm::apply(const Tensor& x, const Tensor& second, bool silu) const {
  const auto type = weight.scalar_type();  // another than that of x under autocast only
  return ops::group_norm(x.to(type), second.defined() ? second.to(type) : second, 32, weight, bias,
                         eps_, silu);
}

Tensor GroupNorm::forward_clip_silu(const Tensor& picture, std::int64_t frames) const {
  const Tensor normed = apply(picture_to_clip(picture, frames), {}, true);  // [B, C, F*h, w]
  return to_picture(normed, frames, picture.size(2), picture.size(3));
}

bool GroupNorm::knows_parts_of(const Tensor& picture) {
  const auto type = picture.scalar_type();
  return picture.device().is_cpu() && !at::GradMode::is_enabled() && picture.numel() > 0 &&
         (type == at::kFloat || type == at::kBFloat16 || type == at::kHalf);
}

Tensor GroupNorm::statistics(const Tensor& columns) const {
  return ops::group_norm_statistics_cpu(columns, 32, eps_);
}

Tensor GroupNorm::normalize_silu(const Tensor& part, const Tensor& statistics) const {
  return ops::normalize_cpu(part, statistics, weight, bias, true);
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

Tensor AlphaBlender::scale(const Tensor& tensor, Share share) const {
  const auto wide = at::promote_types(tensor.scalar_type(), at::kFloat);
  const Tensor alpha = at::sigmoid(mix_factor.to(wide));
  const Tensor factor = share == Share::alpha ? alpha : 1 - alpha;
  return (tensor.to(wide) * factor).to(tensor.scalar_type());
}

}  // namespace svd::nn
