#include "base/encoding.h"

namespace svd {

const char* to_string(Loop loop) { return loop == Loop::forward ? "forward" : "bounce"; }

}  // namespace svd
