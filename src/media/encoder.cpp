#include "media/encoder.h"

#include <cstring>

#include "media/formats.h"

extern "C" {
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
}

namespace svd::media {
namespace {

/// Bits a second for encoders without a crf: enough that nothing is to be seen.
std::int64_t ample_bit_rate(const AVCodecContext& encoder) {
  return static_cast<std::int64_t>(encoder.width * encoder.height * av_q2d(encoder.framerate) / 4);
}

bool set_option(AVCodecContext* encoder, std::string_view name, const std::string& value) {
  return av_opt_set(encoder, std::string(name).c_str(), value.c_str(), AV_OPT_SEARCH_CHILDREN) >= 0;
}

bool set_options(AVCodecContext* encoder, const Encoding& encoding) {
  const EncoderSettings settings = encoder_settings(encoding.encoder);
  const bool has_crf = !settings.crf_option.empty();
  if (!has_crf && find_codec(encoding.codec)->crf) encoder->bit_rate = ample_bit_rate(*encoder);
  for (const auto& [name, value] : settings.options)
    if (!set_option(encoder, name, std::string(value))) return false;
  if (has_crf && !set_option(encoder, settings.crf_option, std::to_string(encoding.crf.value())))
    return false;
  return !encoding.quality || set_option(encoder, "quality", std::to_string(*encoding.quality));
}

/// SVT-AV1 waits for the end of its stream before it closes, for ever if nobody says so, and the
/// stream ends only if it has a frame.
void end_stream(AVCodecContext* encoder) {
  const libav::Packet packet(av_packet_alloc());
  const libav::Frame frame(av_frame_alloc());
  if (!packet || !frame) return;
  if (encoder->frame_number == 0) {
    frame->format = encoder->pix_fmt;
    frame->width = encoder->width;
    frame->height = encoder->height;
    frame->pts = 0;
    if (av_frame_get_buffer(frame.get(), 0) < 0) return;
    for (int plane = 0; plane < AV_NUM_DATA_POINTERS && frame->buf[plane] != nullptr; ++plane)
      std::memset(frame->buf[plane]->data, 0, frame->buf[plane]->size);
    avcodec_send_frame(encoder, frame.get());
  }
  int code = avcodec_send_frame(encoder, nullptr);
  while (code >= 0) code = avcodec_receive_packet(encoder, packet.get());
}

}  // namespace

ColourTags colour_tags(AVPixelFormat format) {
  const AVPixFmtDescriptor* description = av_pix_fmt_desc_get(format);
  const bool is_rgb = (description->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL)) != 0;
  if (is_rgb) {
    return {AVCOL_PRI_BT709, AVCOL_TRC_IEC61966_2_1, AVCOL_SPC_RGB, AVCOL_RANGE_JPEG,
            AVCHROMA_LOC_UNSPECIFIED};
  }
  const bool full_range = std::string_view(description->name).starts_with("yuvj");
  const bool subsampled = description->log2_chroma_w + description->log2_chroma_h > 0;
  return {AVCOL_PRI_BT709, AVCOL_TRC_BT709, AVCOL_SPC_BT709,
          full_range ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG,
          subsampled ? AVCHROMA_LOC_LEFT : AVCHROMA_LOC_UNSPECIFIED};
}

void EncoderRelease::operator()(AVCodecContext* encoder) const {
  if (avcodec_is_open(encoder) != 0 && std::string_view(encoder->codec->name) == "libsvtav1")
    end_stream(encoder);
  avcodec_free_context(&encoder);
}

Encoder open_encoder(const Encoding& encoding, int width, int height) {
  libav::silence();
  const AVCodec* codec = avcodec_find_encoder_by_name(encoding.encoder.c_str());
  if (codec == nullptr) return nullptr;
  Encoder encoder(avcodec_alloc_context3(codec));
  if (!encoder) return nullptr;
  const AVRational rate{encoding.rate_num, encoding.rate_den};
  encoder->width = width;
  encoder->height = height;
  encoder->pix_fmt = av_get_pix_fmt(encoding.pixel_format.c_str());
  encoder->time_base = av_inv_q(rate);
  encoder->framerate = rate;
  encoder->thread_count = 1;  // the bytes depend on it
  const ColourTags tags = colour_tags(encoder->pix_fmt);
  encoder->color_primaries = tags.primaries;
  encoder->color_trc = tags.transfer;
  encoder->colorspace = tags.space;
  encoder->color_range = tags.range;
  encoder->chroma_sample_location = tags.chroma_location;
  encoder->flags |= AV_CODEC_FLAG_BITEXACT;
  const AVOutputFormat* muxer =
      av_guess_format(std::string(find_format(encoding.format)->muxer).c_str(), nullptr, nullptr);
  if (muxer == nullptr) return nullptr;
  if ((muxer->flags & AVFMT_GLOBALHEADER) != 0) encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  if (!set_options(encoder.get(), encoding)) return nullptr;
  return avcodec_open2(encoder.get(), codec, nullptr) < 0 ? nullptr : std::move(encoder);
}

}  // namespace svd::media
