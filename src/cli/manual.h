#pragma once

#include <string>

namespace svd::cli {

/// svd-gen(1) in roff's man macros, made from the table of commands.
std::string manual();

}  // namespace svd::cli
