#include "media/frame_writer.h"

#include "media/resolve_encoding.h"
#include "media/sequence_writer.h"
#include "media/video_writer.h"

namespace svd::media {

std::unique_ptr<FrameSink> open_output(const OutputOptions& options) {
  const Encoding encoding = resolve_encoding(options);
  check_output(options);
  return encoding.encoder.empty() ? open_sequence(options, encoding)
                                  : open_video(options, encoding);
}

}  // namespace svd::media
