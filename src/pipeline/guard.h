#pragma once

#include <ATen/core/Tensor.h>

#include "svd/image.h"

/// Whether what a stage computed is usable: broken numbers would end as black frames.
namespace svd::pipeline {

/// What is wrong, as the end of a sentence ("holds values that are no numbers"); null: nothing.
using Flaw = const char*;

Flaw flaw_of(const at::Tensor& values);
/// The same for quantised frames (uint8 or uint16, on the CPU) that may not all be black.
Flaw flaw_of_levels(const at::Tensor& levels);

/// Whether black frames may be what this picture gives.
bool is_nearly_black(const Image& picture);

}  // namespace svd::pipeline
