#pragma once

#include <string>
#include <vector>

namespace svd::pipeline {

/// Leaves out exact savings (nn/savings.h) for networks that are made from now on, to see what each
/// is worth. Throws Error{usage} for a name that is none, with those there are.
void leave_out_savings(const std::vector<std::string>& names);

}  // namespace svd::pipeline
