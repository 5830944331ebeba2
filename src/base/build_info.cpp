#include <fmt/core.h>

#include "commit.h"  // generated at each build: SVD_COMMIT
#include "svd/version.h"

namespace svd {

const char* version() { return SVD_VERSION; }

std::string build_description() {
  return fmt::format(
      "svd-gen {}\n"
      "commit      {}\n"
      "build type  {}\n"
      "compiler    {}\n",
      version(), SVD_COMMIT, SVD_BUILD_TYPE, SVD_COMPILER);
}

}  // namespace svd
