#include "cli/operation_cost.h"

#include <functional>
#include <numeric>

namespace svd::cli {
namespace {

double product(std::span<const std::int64_t> sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), 1.0, std::multiplies<>());
}

/// [.., m, k] x [.., k, n]
double product_flops(const Shape& left, const Shape& right) {
  if (left.size() < 2 || right.size() != left.size()) return 0;
  return 2 * product(left) * static_cast<double>(right.back());
}

/// [.., k] with a weight [n, k]
double linear_flops(const Shape& input, const Shape& weight) {
  if (input.empty() || weight.size() != 2) return 0;
  return 2 * product(input) * static_cast<double>(weight[0]);
}

/// Weight [out, in / groups, kernel...]
double convolution_flops(const Shape& weight, const Shape& output) {
  if (weight.size() < 3 || output.size() != weight.size()) return 0;
  return 2 * product(output) * product(std::span(weight).subspan(1));
}

/// Query [.., L, E], key [.., S, E], value [.., S, Ev]
double attention_flops(const Shape& query, const Shape& key, const Shape& value) {
  if (query.size() < 3 || key.size() != query.size() || value.size() != query.size()) return 0;
  const double tokens = static_cast<double>(key[key.size() - 2]);
  const double values = static_cast<double>(value.back());
  return 2 * product(query) * tokens +
         2 * product(std::span(query).first(query.size() - 1)) * tokens * values;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

double count_flops(std::string_view name, std::string_view overload, std::span<const Shape> inputs,
                   const Shape& output) {
  const auto input = [&](std::size_t i) { return i < inputs.size() ? inputs[i] : Shape(); };
  name.remove_prefix(name.rfind(':') + 1);  // npos + 1 is 0
  if (name.ends_with('_')) name.remove_suffix(1);
  // oneDNN's fused operators have the second summand in front of the weight.
  const std::size_t weight = overload == "binary" ? 2 : 1;
  if (name == "mm" || name == "bmm") return product_flops(input(0), input(1));
  if (name == "addmm" || name == "_addmm_activation" || name == "baddbmm")
    return product_flops(input(1), input(2));
  if (contains(name, "scaled_dot_product") || contains(name, "attention"))
    return attention_flops(input(0), input(1), input(2));
  if (contains(name, "linear")) return linear_flops(input(0), input(weight));
  if (contains(name, "conv")) return convolution_flops(input(weight), output);
  return 0;
}

}  // namespace svd::cli
