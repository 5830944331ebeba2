#include "media/encoders.h"

#include <utility>

extern "C" {
#include <libavcodec/avcodec.h>
}

namespace svd::media {

std::vector<KnownEncoder> known_encoders() {
  constexpr std::pair<const char*, const char*> names[] = {
      {"h264", "libx264"},      {"h264", "h264_nvenc"}, {"h265", "libx265"},
      {"h265", "hevc_nvenc"},   {"av1", "libsvtav1"},   {"av1", "libaom-av1"},
      {"vp9", "libvpx-vp9"},    {"ffv1", "ffv1"},       {"prores", "prores_ks"},
      {"webp", "libwebp_anim"}, {"gif", "gif"}};
  std::vector<KnownEncoder> encoders;
  for (const auto& [codec, encoder] : names)
    encoders.push_back({codec, encoder, avcodec_find_encoder_by_name(encoder) != nullptr});
  return encoders;
}

}  // namespace svd::media
