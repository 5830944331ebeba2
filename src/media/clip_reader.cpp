#include "media/clip_reader.h"

#include <cstdint>
#include <vector>

#include "media/byte_view.h"
#include "media/clip.h"
#include "media/frame_pixels.h"
#include "media/image_header.h"
#include "media/input_file.h"
#include "media/pixels.h"
#include "media/video_reader.h"
#include "svd/error.h"

namespace svd::media {

void read_clip(const std::filesystem::path& file,
               const std::function<bool(const Image& frame, double seconds)>& on_frame,
               std::int64_t max_pixels) {
  InputFile input(file.string());
  std::vector<std::uint8_t> bytes;
  input.read(bytes, kFirstBytes);
  const char* container = clip_container(bytes);
  if (container == nullptr) {
    check_known(bytes, input.name());
    input.read_rest(bytes);
    on_frame(decode_image(bytes, input.name(), max_pixels), 0);
    return;
  }
  Clip clip(input, container, input.name(), max_pixels);
  const AVRational rate = clip.stream().avg_frame_rate;
  const double fps = rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 0;
  std::int64_t count = 0;
  double first = 0;
  while (const libav::Frame frame = clip.next()) {
    const std::int64_t stamp = frame->best_effort_timestamp;
    double seconds = fps > 0 ? double(count) / fps : 0;
    if (stamp != AV_NOPTS_VALUE) seconds = double(stamp) * av_q2d(clip.stream().time_base);
    if (count == 0) first = seconds;
    ++count;
    const Image image =
        make_upright(to_rgb(*frame, clip.square_width(*frame), input.name()), clip.orientation());
    if (!on_frame(image, seconds - first)) break;
  }
  if (count == 0)
    throw Error(ErrorKind::image, input.name() + " holds no picture that can be decoded");
}

}  // namespace svd::media
