#include "fuzz/metadata_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return svd::fuzz::fuzz_metadata(data, size);
}
