#include "media/video_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "media/byte_view.h"
#include "media/clip.h"
#include "media/frame_pixels.h"
#include "media/image_reader.h"
#include "media/pixels.h"
#include "svd/error.h"

extern "C" {
#include <libavutil/common.h>
}

namespace svd::media {
namespace {

constexpr AVRational kMicroseconds{1, 1'000'000};

bool is_mp4(ByteView file) {
  constexpr std::string_view pictures[] = {"avif", "avis", "hei", "hev", "mif1", "msf1"};
  if (file.has(4, "ftyp")) {
    return std::none_of(std::begin(pictures), std::end(pictures),
                        [&](std::string_view brand) { return file.has(8, brand); });
  }
  constexpr std::string_view boxes[] = {"moov", "mdat", "wide", "free", "skip"};
  return std::any_of(std::begin(boxes), std::end(boxes),
                     [&](std::string_view box) { return file.has(4, box); });
}

bool is_transport_stream(ByteView file) {
  constexpr std::uint64_t packet = 188;
  return file.has(0, "G") && file.has(packet, "G") && file.has(2 * packet, "G");
}

/// Walks through the pictures of a clip up to a time. Files may hold any timestamps: no sum of them
/// overflows.
class Search {
 public:
  /// `zero` is the timestamp of the first frame.
  Search(FrameTime time, std::int64_t zero) : time_(time), zero_(zero) {}

  /// The last frame that begins no later than the time. Null if the first one that comes is later
  /// already or none comes.
  libav::Frame run(Clip& clip) {
    libav::Frame shown;
    while (libav::Frame frame = clip.next()) {
      const FrameTime begin = begin_of(*frame, clip);
      if (begin > time_) return shown;
      if (shown) gap_ = av_sat_sub64(begin, last_begin_);
      last_begin_ = begin;
      shown = std::move(frame);
    }
    if (shown) end_ = av_sat_add64(last_begin_, duration_of(*shown, clip));
    return shown;
  }

  /// Where the clip ended, if that was seen.
  FrameTime end() const { return end_; }

 private:
  FrameTime begin_of(const AVFrame& frame, const Clip& clip) const {
    if (frame.best_effort_timestamp == AV_NOPTS_VALUE) return av_sat_add64(last_begin_, gap_);
    const std::int64_t ticks = av_sat_sub64(frame.best_effort_timestamp, zero_);
    return av_rescale_q(ticks, clip.stream().time_base, kMicroseconds);
  }

  FrameTime duration_of(const AVFrame& frame, const Clip& clip) const {
    if (frame.pkt_duration > 0)
      return av_rescale_q(frame.pkt_duration, clip.stream().time_base, kMicroseconds);
    const AVRational rate = clip.stream().avg_frame_rate;
    if (rate.num > 0 && rate.den > 0) return av_rescale_q(1, av_inv_q(rate), kMicroseconds);
    return gap_;
  }

  FrameTime time_;
  std::int64_t zero_;
  FrameTime last_begin_ = 0;
  FrameTime gap_ = 0;
  FrameTime end_ = kLastFrame;
};

/// Goes close to the time; false where the clip cannot.
bool approach(Clip& clip, FrameTime time, std::int64_t zero) {
  constexpr FrameTime far = FrameTime{1} << 51;  // 71 years: in any time base no overflow
  const std::int64_t ticks = time == kLastFrame ? clip.duration()
                                                : av_rescale_q(std::min(time, far), kMicroseconds,
                                                               clip.stream().time_base);
  return ticks > 0 && clip.seek(av_sat_add64(zero, ticks));
}

}  // namespace

const char* clip_container(std::span<const std::uint8_t> bytes) {
  const ByteView file(bytes);
  if (is_mp4(file)) return "mov";
  if (file.has(0, "\x1a\x45\xdf\xa3")) return "matroska";
  if (file.has(0, "RIFF") && file.has(8, "AVI ")) return "avi";
  if (file.has(0, "OggS")) return "ogg";
  if (file.has(0, "DKIF")) return "ivf";
  if (file.has(0, "YUV4MPEG2 ")) return "yuv4mpegpipe";
  if (is_transport_stream(file)) return "mpegts";
  return nullptr;
}

Image read_frame(const ByteSource& source, const char* container, FrameTime time,
                 const std::string& name, std::int64_t max_pixels) {
  Clip clip(source, container, name, max_pixels);
  libav::Frame frame = clip.next();
  if (!frame) throw Error(ErrorKind::image, name + " holds no picture that can be decoded");
  if (time > 0) {
    const std::int64_t zero =
        frame->best_effort_timestamp == AV_NOPTS_VALUE ? 0 : frame->best_effort_timestamp;
    Search search(time, zero);
    frame = approach(clip, time, zero) ? search.run(clip) : nullptr;
    if (!frame) {
      // The key frame that was found came too late, or none was: from the beginning.
      Clip again(source, container, name, max_pixels);
      frame = search.run(again);
    }
    if (!frame) throw Error(ErrorKind::image, name + " changes while it is read");
    if (time != kLastFrame && time > search.end()) {
      throw Error(
          ErrorKind::image,
          fmt::format("{} ends after {:g} seconds, there is no frame at {:g} seconds", name,
                      static_cast<double>(search.end()) / 1e6, static_cast<double>(time) / 1e6),
          "@end names the last frame");
    }
  }
  if (frame->decode_error_flags != 0 || (frame->flags & AV_FRAME_FLAG_CORRUPT) != 0)
    throw Error(ErrorKind::image, name + ": the frame at that time is damaged");
  return make_upright(to_rgb(*frame, clip.square_width(*frame), name), clip.orientation());
}

}  // namespace svd::media
