#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <string>

/// Finding operations of ops/schemas.h, and their versions, in torch's dispatcher.
namespace svd::ops {

template <class Operation>
c10::TypedOperatorHandle<typename Operation::Signature> find_operation() {
  const std::string name = std::string("svd::") + Operation::kName;
  return c10::Dispatcher::singleton()
      .findSchemaOrThrow(name.c_str(), "")
      .template typed<typename Operation::Signature>();
}

/// The CUDA module registers its versions when it is loaded, and may have been built without them.
/// Own versions know the types that networks run in; float64 is for tests and gradients.
inline bool has_own_version(const c10::OperatorHandle& op, const at::Tensor& x) {
  const at::ScalarType type = x.scalar_type();
  return (type == at::kFloat || type == at::kBFloat16 || type == at::kHalf) &&
         op.hasKernelForDispatchKey(c10::legacyExtractDispatchKey(x.key_set()));
}

}  // namespace svd::ops
