#include "media/libav.h"

extern "C" {
#include <libavutil/error.h>
#include <libavutil/log.h>
}

namespace svd::media::libav {

int check(int code, const char* call, const std::string& file, ErrorKind kind) {
  if (code >= 0) return code;
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(code, text, sizeof text);
  const bool full = kind == ErrorKind::output && code == AVERROR(ENOSPC);
  throw Error(kind, file + ": " + call + " failed: " + text,
              full ? "free some space or write to another disk" : "");
}

void silence() { av_log_set_level(AV_LOG_QUIET); }

}  // namespace svd::media::libav
