#include "svd/observer.h"

namespace svd {

const char* to_string(Stage stage) {
  switch (stage) {
    case Stage::load_conditioning:
      return "load_conditioning";
    case Stage::condition:
      return "condition";
    case Stage::load_unet:
      return "load_unet";
    case Stage::sample:
      return "sample";
    case Stage::load_decoder:
      return "load_decoder";
    case Stage::decode:
      return "decode";
  }
  return "unknown";
}

}  // namespace svd
