#include "media/scaler.h"

#include <utility>
#include <vector>

#include "media/encoder.h"

extern "C" {
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
}

namespace svd::media {

libav::Frame new_frame(AVPixelFormat format, int width, int height, const std::string& file) {
  libav::Frame frame(libav::check(av_frame_alloc(), "av_frame_alloc", file, ErrorKind::output));
  const ColourTags tags = colour_tags(format);
  frame->format = format;
  frame->width = width;
  frame->height = height;
  frame->color_primaries = tags.primaries;
  frame->color_trc = tags.transfer;
  frame->colorspace = tags.space;
  frame->color_range = tags.range;
  frame->chroma_location = tags.chroma_location;
  libav::check(av_frame_get_buffer(frame.get(), 0), "av_frame_get_buffer", file, ErrorKind::output);
  return frame;
}

namespace {

AVPixelFormat rgb_format(int bit_depth) {
  return bit_depth > 8 ? AV_PIX_FMT_RGB48 : AV_PIX_FMT_RGB24;
}

int rgb_row(int width, int bit_depth) { return width * 3 * (bit_depth > 8 ? 2 : 1); }

/// A converter between RGB and YUV or another RGB, of one size. Both ways use BT.709.
libav::Scaler open_scaler(AVPixelFormat source, AVPixelFormat target, int width, int height,
                          const std::string& file) {
  const auto check = [&](int code, const char* call) {
    libav::check(code, call, file, ErrorKind::output);
  };
  libav::Scaler scaler(
      libav::check(sws_alloc_context(), "sws_alloc_context", file, ErrorKind::output));
  std::vector<std::pair<const char*, std::int64_t>> values = {
      {"srcw", width},
      {"srch", height},
      {"src_format", source},
      {"dstw", width},
      {"dsth", height},
      {"dst_format", target},
      {"sws_flags", SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP},
  };
  const AVPixFmtDescriptor& description = *av_pix_fmt_desc_get(target);
  // Chroma sits on the left luma sample, between two rows.
  if (description.log2_chroma_w > 0) values.emplace_back("dst_h_chr_pos", 0);
  if (description.log2_chroma_h > 0) values.emplace_back("dst_v_chr_pos", 128);
  for (const auto& [name, value] : values)
    check(av_opt_set_int(scaler.get(), name, value, 0), "av_opt_set_int(swscale)");
  check(sws_init_context(scaler.get(), nullptr, nullptr), "sws_init_context");
  const ColourTags from = colour_tags(source), to = colour_tags(target);
  if (from.space == AVCOL_SPC_RGB && to.space == AVCOL_SPC_RGB) return scaler;
  const int* bt709 = sws_getCoefficients(SWS_CS_ITU709);
  constexpr int unity = 1 << 16;
  check(sws_setColorspaceDetails(scaler.get(), bt709, from.range == AVCOL_RANGE_JPEG, bt709,
                                 to.range == AVCOL_RANGE_JPEG, 0, unity, unity),
        "sws_setColorspaceDetails");
  return scaler;
}

}  // namespace

RgbScaler::RgbScaler(int width, int height, int bit_depth, AVPixelFormat target, std::string file)
    : height_(height),
      bytes_per_row_(rgb_row(width, bit_depth)),
      file_(std::move(file)),
      scaler_(open_scaler(rgb_format(bit_depth), target, width, height, file_)) {}

RgbReader::RgbReader(AVPixelFormat format, int width, int height, int bit_depth, std::string file)
    : height_(height),
      bytes_per_row_(rgb_row(width, bit_depth)),
      file_(std::move(file)),
      scaler_(open_scaler(format, rgb_format(bit_depth), width, height, file_)) {}

std::vector<std::uint8_t> RgbReader::read(const AVFrame& frame) const {
  std::vector<std::uint8_t> rgb(static_cast<std::size_t>(bytes_per_row_) * height_);
  std::uint8_t* planes[] = {rgb.data()};
  const int strides[] = {bytes_per_row_};
  libav::check(sws_scale(scaler_.get(), frame.data, frame.linesize, 0, height_, planes, strides),
               "sws_scale", file_, ErrorKind::output);
  return rgb;
}

void RgbScaler::convert(std::span<const std::uint8_t> rgb, AVFrame* frame) const {
  libav::check(av_frame_make_writable(frame), "av_frame_make_writable", file_, ErrorKind::output);
  const std::uint8_t* planes[] = {rgb.data()};
  const int strides[] = {bytes_per_row_};
  libav::check(sws_scale(scaler_.get(), planes, strides, 0, height_, frame->data, frame->linesize),
               "sws_scale", file_, ErrorKind::output);
}

}  // namespace svd::media
