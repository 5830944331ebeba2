#include "ops/packed.h"

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/List.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/Scalar.h>

#include <optional>
#include <string_view>

#include "ops/cpu_features.h"

namespace svd::ops {
namespace {

using at::IntArrayRef;
using at::Tensor;
using Scalars = c10::List<std::optional<at::Scalar>>;
using OptionalTensor = std::optional<Tensor>;
using OptionalText = std::optional<std::string_view>;

using ReorderLinear = Tensor(const Tensor&, std::optional<std::int64_t>);
using LinearUnary = Tensor(const Tensor&, const Tensor&, const OptionalTensor&, std::string_view,
                           Scalars, OptionalText);
using LinearBinary = Tensor(const Tensor&, const Tensor&, const Tensor&, const OptionalTensor&,
                            std::string_view);
using ReorderConv = Tensor(const Tensor&, IntArrayRef, IntArrayRef, IntArrayRef, std::int64_t,
                           at::OptionalIntArrayRef);
using ConvUnary = Tensor(const Tensor&, const Tensor&, const OptionalTensor&, IntArrayRef,
                         IntArrayRef, IntArrayRef, std::int64_t, std::string_view, Scalars,
                         OptionalText);
using ConvBinary = Tensor(const Tensor&, const Tensor&, const Tensor&, const OptionalTensor&,
                          IntArrayRef, IntArrayRef, IntArrayRef, std::int64_t, std::string_view,
                          std::optional<at::Scalar>, OptionalText, Scalars, OptionalText);

constexpr std::int64_t kNoDilation[] = {1, 1};
constexpr std::int64_t kOneGroup = 1;
constexpr std::int64_t kRowsOfACall = 1024;  // a hint for the choice of the layout

template <class Schema>
c10::TypedOperatorHandle<Schema> find(const char* name, const char* overload = "") {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, overload).typed<Schema>();
}

OptionalTensor optional_of(const Tensor& bias) {
  return bias.defined() ? OptionalTensor(bias) : std::nullopt;
}

}  // namespace

bool can_pack(const c10::Device& device, at::ScalarType type) {
  static const bool is_there =
      at::hasMKLDNN() &&
      c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""}).has_value();
  return is_there && device.is_cpu() &&
         (type == at::kFloat || (type == at::kBFloat16 && has_avx512()));
}

bool can_pack(const Tensor& weight) {
  return weight.defined() && can_pack(weight.device(), weight.scalar_type());
}

Tensor pack_linear(const Tensor& weight) {
  static const auto reorder = find<ReorderLinear>("mkldnn::_reorder_linear_weight");
  return reorder.call(weight.contiguous(), kRowsOfACall);
}

Tensor packed_linear(const Tensor& x, const Tensor& packed, const Tensor& bias, Epilogue epilogue,
                     const Tensor& other) {
  static const auto unary = find<LinearUnary>("mkldnn::_linear_pointwise");
  static const auto binary = find<LinearBinary>("mkldnn::_linear_pointwise", "binary");
  switch (epilogue) {
    case Epilogue::none:
      return unary.call(x, packed, optional_of(bias), "none", Scalars(), "none");
    case Epilogue::gelu:
      return unary.call(x, packed, optional_of(bias), "gelu", Scalars(), "none");
    case Epilogue::add:
      return binary.call(x, other, packed, optional_of(bias), "add");
    case Epilogue::multiply:
      return binary.call(x, other, packed, optional_of(bias), "mul");
  }
  TORCH_CHECK(false, "packed_linear: no such epilogue");
}

Tensor pack_conv(const Tensor& weight, Pair stride, Pair padding) {
  static const auto reorder = find<ReorderConv>("mkldnn::_reorder_convolution_weight");
  return reorder.call(weight, padding, stride, kNoDilation, kOneGroup, std::nullopt);
}

Tensor packed_conv(const Tensor& picture, const Tensor& packed, const Tensor& bias, Pair stride,
                   Pair padding, const Tensor& other) {
  static const auto unary = find<ConvUnary>("mkldnn::_convolution_pointwise");
  static const auto binary = find<ConvBinary>("mkldnn::_convolution_pointwise", "binary");
  // A result of one pixel has strides that libtorch and oneDNN read differently: added afterwards.
  const bool is_pixel = other.defined() && other.size(2) * other.size(3) == 1;
  if (!other.defined() || is_pixel) {
    const Tensor y = unary.call(picture, packed, optional_of(bias), padding, stride, kNoDilation,
                                kOneGroup, "none", Scalars(), "none");
    return is_pixel ? y + other : y;
  }
  return binary.call(picture, other, packed, optional_of(bias), padding, stride, kNoDilation,
                     kOneGroup, "add", std::nullopt, std::nullopt, Scalars(), std::nullopt);
}

}  // namespace svd::ops
