#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace svd::cli {

using Shape = std::vector<std::int64_t>;

/// Floating-point operations of one call, a multiplication and its addition counted as two: matrix
/// products, linear layers, convolutions and attention, by the operator's name ("aten::addmm") and
/// overload. `inputs` are the shapes of its arguments in order, empty where one is no tensor;
/// `output` is its first result's. 0 for every other operator.
double count_flops(std::string_view name, std::string_view overload, std::span<const Shape> inputs,
                   const Shape& output);

}  // namespace svd::cli
