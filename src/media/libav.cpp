#include "media/libav.h"

#include <stdlib.h>

extern "C" {
#include <libavutil/error.h>
#include <libavutil/log.h>
}

namespace svd::media::libav {

int check(int code, const char* call, const std::string& file, ErrorKind kind) {
  if (code >= 0) return code;
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(code, text, sizeof text);
  if (kind != ErrorKind::output) throw Error(kind, file + ": " + call + " failed: " + text);
  // What the system refused needs no more words; what a library refused does.
  const bool from_system = code > AVERROR(4096) && code != AVERROR(EINVAL);
  throw Error(
      kind,
      "cannot write " + file + ": " + text + (from_system ? "" : std::string(" (") + call + ")"),
      code == AVERROR(ENOSPC) ? "free some space or write to another disk" : "");
}

void silence() {
  av_log_set_level(AV_LOG_QUIET);
  setenv("SVT_LOG", "0", 0);  // SVT-AV1 asks nothing else
}

}  // namespace svd::media::libav
