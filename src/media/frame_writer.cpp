#include "media/frame_writer.h"

#include <utility>

#include "media/bounce.h"
#include "media/contact_sheet.h"
#include "media/interpolate.h"
#include "media/resolve_encoding.h"
#include "media/sequence_writer.h"
#include "media/video_writer.h"

namespace svd::media {

std::unique_ptr<FrameSink> open_output(const OutputOptions& options) {
  const Encoding encoding = resolve_encoding(options);
  check_output(options);
  auto sink =
      encoding.encoder.empty() ? open_sequence(options, encoding) : open_video(options, encoding);
  // Frames pass the other way round: sheet, interpolation, bounce, writer.
  if (options.encoding.loop == Loop::bounce) sink = open_bounce(std::move(sink));
  const int times = options.encoding.interpolate;
  if (times > 1) sink = open_interpolation(std::move(sink), options, times);
  if (options.contact_sheet) sink = open_contact_sheet(std::move(sink), options);
  return sink;
}

}  // namespace svd::media
