#include "media/frame_pixels.h"

#include "media/pixels.h"

extern "C" {
#include <libavutil/pixdesc.h>
}

namespace svd::media {
namespace {

/// Rows of a picture in standard definition, at most; they were coded with BT.601.
constexpr int kStandardRows = 576;

/// libswscale's number of the matrix that turns RGB into the frame's values.
int matrix_of(const AVFrame& frame, const std::string& name) {
  switch (frame.colorspace) {
    case AVCOL_SPC_BT709:
    case AVCOL_SPC_FCC:
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M:
    case AVCOL_SPC_SMPTE240M:
    case AVCOL_SPC_BT2020_NCL:
      return frame.colorspace;  // the two libraries count alike
    case AVCOL_SPC_RGB:
    case AVCOL_SPC_UNSPECIFIED:
    case AVCOL_SPC_RESERVED:
      return frame.height > kStandardRows ? SWS_CS_ITU709 : SWS_CS_ITU601;
    default: {
      const char* space = av_color_space_name(frame.colorspace);
      throw Error(ErrorKind::image,
                  name + ": colours of the kind " + (space != nullptr ? space : "unknown") +
                      " are not read",
                  "convert it: ffmpeg -i '" + name + "' -frames:v 1 picture.png");
    }
  }
}

bool is_full_range(const AVFrame& frame, const AVPixFmtDescriptor& description) {
  if (frame.color_range != AVCOL_RANGE_UNSPECIFIED) return frame.color_range == AVCOL_RANGE_JPEG;
  const bool grey = description.nb_components <= 2;
  const bool jpeg = frame.format == AV_PIX_FMT_YUVJ420P || frame.format == AV_PIX_FMT_YUVJ422P ||
                    frame.format == AV_PIX_FMT_YUVJ444P || frame.format == AV_PIX_FMT_YUVJ440P ||
                    frame.format == AV_PIX_FMT_YUVJ411P;
  return grey || jpeg;
}

}  // namespace

Image to_rgb(const AVFrame& frame, int width, const std::string& name) {
  const auto check = [&](int code, const char* call) {
    libav::check(code, call, name, ErrorKind::image);
  };
  const auto format = static_cast<AVPixelFormat>(frame.format);
  const AVPixFmtDescriptor* description = av_pix_fmt_desc_get(format);
  if (description == nullptr || sws_isSupportedInput(format) == 0)
    throw Error(ErrorKind::image, name + ": pixels of an unknown format");
  const bool alpha = (description->flags & (AV_PIX_FMT_FLAG_ALPHA | AV_PIX_FMT_FLAG_PAL)) != 0;
  const libav::Frame target(
      libav::check(av_frame_alloc(), "av_frame_alloc", name, ErrorKind::image));
  target->format = alpha ? AV_PIX_FMT_BGRA : AV_PIX_FMT_BGR24;
  target->width = width;
  target->height = frame.height;
  check(av_frame_get_buffer(target.get(), 0), "av_frame_get_buffer");

  constexpr int flags = SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_BICUBIC;
  const libav::Scaler scaler(libav::check(
      sws_getContext(frame.width, frame.height, format, width, frame.height,
                     static_cast<AVPixelFormat>(target->format), flags, nullptr, nullptr, nullptr),
      "sws_getContext", name, ErrorKind::image));
  constexpr int one = 1 << 16;
  // Fails for conversions without a matrix, which need none.
  sws_setColorspaceDetails(scaler.get(), sws_getCoefficients(matrix_of(frame, name)),
                           is_full_range(frame, *description) ? 1 : 0,
                           sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, one, one);
  check(sws_scale(scaler.get(), frame.data, frame.linesize, 0, frame.height, target->data,
                  target->linesize),
        "sws_scale");
  const Samples samples{target->data[0], static_cast<std::size_t>(target->linesize[0]),
                        width,           frame.height,
                        alpha ? 4 : 3,   false};
  return to_rgb(samples, {});
}

}  // namespace svd::media
