#include "cli/preview.h"

#include <algorithm>

#include "media/fit.h"
#include "media/frame_writer.h"
#include "svd/error.h"

namespace svd::cli {
namespace {

constexpr int kLongerSide = 256;

}  // namespace

void PreviewingProgress::on_preview(int, const std::vector<Image>& frames) {
  try {
    write(frames);
  } catch (const Error& error) {  // the clip is worth more than its preview
    progress_.warn(std::string("no more previews: ") + error.what());
    file_.reset();
  }
}

void PreviewingProgress::write(const std::vector<Image>& frames) const {
  const Image& first = frames.front();
  const int factor = std::max(1, kLongerSide / std::max(first.width, first.height));
  media::OutputOptions output;
  output.path = *file_;
  output.width = first.width * factor;
  output.height = first.height * factor;
  output.fps = fps_;
  output.frames = static_cast<int>(frames.size());
  output.overwrite = true;
  output.encoding.format = "webp";
  output.encoding.quality = 75;
  const auto sink = media::open_output(output);
  for (const Image& frame : frames)
    sink->write(media::resize_lanczos(frame, output.width, output.height).rgb);
  sink->finish();
}

}  // namespace svd::cli
