#pragma once

#include <ATen/core/Tensor.h>

namespace svd::ops {

/// Whether `temporal_attention_cpu` takes these: float32 or bfloat16 on the CPU, up to 64 frames,
/// heads of a multiple of 16 up to 128.
bool can_run_temporal_attention_cpu(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v);

/// Attention over frames, read with strides and without a copy; arguments and result as
/// `temporal_attention`. float32 inside. The same bits whatever the instruction set and the number
/// of threads.
at::Tensor temporal_attention_cpu(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v);

}  // namespace svd::ops
