#include "media/frame_writer.h"

#include "media/mp4_writer.h"
#include "media/png_writer.h"
#include "svd/error.h"

namespace svd::media {

std::unique_ptr<FrameSink> open_output(const OutputOptions& options) {
  if (options.width < 1 || options.height < 1 || options.frames < 1)
    throw Error(ErrorKind::internal, "open_output: a size or a number of frames below 1");
  const OutputFormat format = output_format(options.path);
  check_output(options.path, options.overwrite);
  switch (format) {
    case OutputFormat::mp4:
      return open_mp4(options);
    case OutputFormat::png_folder:
      return open_png_folder(options);
    case OutputFormat::png_pattern:
      return open_png_pattern(options);
  }
  throw Error(ErrorKind::internal, "open_output: unknown format");
}

}  // namespace svd::media
