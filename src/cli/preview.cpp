#include "cli/preview.h"

#include <algorithm>
#include <fstream>
#include <string_view>

#include "media/fit.h"
#include "media/frame_writer.h"
#include "svd/error.h"

namespace svd::cli {
namespace {

constexpr int kLongerSide = 256;

}  // namespace

bool may_be_preview(const std::string& file) {
  // RIFF, size, WEBP, VP8X, size, flags:
  // https://developers.google.com/speed/webp/docs/riff_container
  constexpr std::size_t kFlags = 20;
  constexpr char kAnimation = 0x02;
  char head[kFlags + 1] = {};
  std::ifstream(file, std::ios::binary).read(head, sizeof head);
  const std::string_view text(head, sizeof head);
  return text.starts_with("RIFF") && text.substr(8, 8) == "WEBPVP8X" &&
         (head[kFlags] & kAnimation) != 0;
}

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
