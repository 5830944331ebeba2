#include <algorithm>
#include <vector>

#include "media/decoders.h"
#include "media/libav.h"
#include "media/pixels.h"

extern "C" {
#include <libavutil/pixdesc.h>
}

namespace svd::media {
namespace {

/// One row of one component, or `max` where the format lacks it.
class RowReader {
 public:
  RowReader(const AVFrame& frame, const AVPixFmtDescriptor& description)
      : frame_(frame), description_(description), row_(static_cast<std::size_t>(frame.width)) {}

  const std::vector<std::uint16_t>& read(int y, int component) {
    const std::uint8_t* planes[4] = {frame_.data[0], frame_.data[1], frame_.data[2],
                                     frame_.data[3]};
    av_read_image_line2(row_.data(), planes, frame_.linesize, &description_, 0, y, component,
                        frame_.width, 0, sizeof row_[0]);
    return row_;
  }

 private:
  const AVFrame& frame_;
  const AVPixFmtDescriptor& description_;
  std::vector<std::uint16_t> row_;
};

/// Any grey or RGB format of libav, exactly.
Image to_image(const AVFrame& frame, const std::string& name) {
  const auto format = static_cast<AVPixelFormat>(frame.format);
  const AVPixFmtDescriptor* description =
      libav::check(av_pix_fmt_desc_get(format), "av_pix_fmt_desc_get", name, ErrorKind::image);
  const bool colour = (description->flags & AV_PIX_FMT_FLAG_RGB) != 0;
  const bool grey = description->nb_components <= 2;
  if (!colour && !grey)
    throw Error(ErrorKind::image, name + ": pixels of the format " + description->name);
  const bool has_alpha = (description->flags & AV_PIX_FMT_FLAG_ALPHA) != 0;
  const int alpha_component = description->nb_components - 1;
  const std::uint32_t max = (1u << description->comp[0].depth) - 1;
  const bool inverted = format == AV_PIX_FMT_MONOWHITE;

  Image image{frame.width, frame.height, {}};
  image.rgb.resize(static_cast<std::size_t>(frame.width) * frame.height * 3);
  RowReader reader(frame, *description);
  std::vector<std::uint16_t> alpha(static_cast<std::size_t>(frame.width),
                                   static_cast<std::uint16_t>(max));
  for (int y = 0; y < frame.height; ++y) {
    if (has_alpha) alpha = reader.read(y, alpha_component);
    std::uint8_t* row = image.rgb.data() + std::size_t{3} * y * frame.width;
    for (int channel = 0; channel < 3; ++channel) {
      const auto& values = reader.read(y, colour ? channel : 0);
      for (int x = 0; x < frame.width; ++x) {
        const std::uint32_t value = inverted ? max - values[x] : values[x];
        row[3 * x + channel] = to_byte_over_black(value, alpha[x], max);
      }
    }
  }
  return image;
}

}  // namespace

Image decode_with_libav(std::span<const std::uint8_t> bytes, const ImageHeader& header,
                        const std::string& name, std::int64_t max_pixels) {
  libav::silence();
  const auto check = [&](int code, const char* call) {
    return libav::check(code, call, name, ErrorKind::image);
  };
  AVCodecID id = AV_CODEC_ID_GIF;
  if (header.format == ImageFormat::pnm) {
    constexpr AVCodecID by_digit[] = {AV_CODEC_ID_PBM, AV_CODEC_ID_PGM, AV_CODEC_ID_PPM};
    id = bytes[1] == '7' ? AV_CODEC_ID_PAM : by_digit[(bytes[1] - '1') % 3];
  }
  const AVCodec* codec = avcodec_find_decoder(id);
  if (codec == nullptr) {
    throw Error(ErrorKind::image,
                name + ": the FFmpeg libraries cannot read " + to_string(header.format));
  }
  const libav::Codec decoder(avcodec_alloc_context3(codec));
  const libav::Packet packet(av_packet_alloc());
  const libav::Frame frame(av_frame_alloc());
  if (!decoder || !packet || !frame) check(AVERROR(ENOMEM), "allocation");
  decoder->max_pixels = libav::with_padding(max_pixels);
  decoder->err_recognition = AV_EF_EXPLODE | AV_EF_CRCCHECK;
  decoder->thread_count = 1;
  check(avcodec_open2(decoder.get(), codec, nullptr), "avcodec_open2");
  check(av_new_packet(packet.get(), static_cast<int>(bytes.size())), "av_new_packet");
  std::copy(bytes.begin(), bytes.end(), packet->data);
  packet->flags |= AV_PKT_FLAG_KEY;
  check(avcodec_send_packet(decoder.get(), packet.get()), "decoding");
  check(avcodec_send_packet(decoder.get(), nullptr), "decoding");
  check(avcodec_receive_frame(decoder.get(), frame.get()), "decoding");
  return to_image(*frame, name);
}

}  // namespace svd::media
