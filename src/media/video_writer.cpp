#include "media/video_writer.h"

#include <optional>
#include <string>

#include "base/atomic_file.h"
#include "media/encoder.h"
#include "media/filter_graph.h"
#include "media/formats.h"
#include "media/output_name.h"
#include "media/read_back.h"
#include "media/scaler.h"
#include "media/sidecar.h"
#include "svd/error.h"

extern "C" {
#include <libavutil/opt.h>
}

namespace svd::media {
namespace {

// The palette is made of all frames: none leaves the filters before the last one came.
constexpr const char* kPaletteFilters =
    "split[a][b];[a]palettegen=stats_mode=full[p];[b][p]paletteuse=dither=sierra2_4a";

/// Encodes and muxes.
///
/// Note: [Frame rate and time stamps]
/// The encoder counts in frames: time base 1/rate, frame i has pts i and duration 1. The muxer
/// picks its own base; packets are rescaled to it, in an MP4 exactly, as its base divides ours.
/// With B-frames the first decoding times are negative; the MP4 muxer shifts them and says so in
/// an edit list, so that a clip of n frames starts at 0 and lasts n/rate. Every packet carries its
/// duration: without it the last frame's would be guessed.
///
///     display   0  1  2  3  4      pts      0 1 2 3 4
///     decoding  0  4  2  1  3      dts     -2 -1 0 1 2
class VideoSink : public FrameSink {
 public:
  VideoSink(const OutputOptions& options, const Encoding& encoding);

  int bit_depth() const override { return encoding_.input_bit_depth(); }
  void write(std::span<const std::uint8_t> rgb) override;
  void finish() override;

 private:
  int check(int code, const char* call) const {
    return libav::check(code, call, file_, ErrorKind::output);
  }
  template <typename T>
  T* check(T* pointer, const char* call) const {
    return libav::check(pointer, call, file_, ErrorKind::output);
  }

  void open_muxer();
  void filter(AVFrame* frame);
  void encode(const AVFrame* frame);
  void verify() const;

  OutputOptions options_;
  Encoding encoding_;
  const Format& format_;
  std::string file_;                     ///< the final name, for messages
  std::optional<AtomicPath> temporary_;  ///< none for standard output
  Sidecar sidecar_;
  Encoder encoder_;
  libav::Muxer muxer_;
  std::optional<RgbScaler> scaler_;
  std::optional<FilterGraph> palette_;  ///< for a format with one
  libav::Frame frame_;
  libav::Packet packet_;
  AVStream* stream_ = nullptr;  ///< owned by muxer_
  int written_ = 0;
};

VideoSink::VideoSink(const OutputOptions& options, const Encoding& encoding)
    : options_(options),
      encoding_(encoding),
      format_(*find_format(encoding.format)),
      file_(is_standard_output(options.path) ? "standard output" : options.path.string()),
      sidecar_(options, format_) {
  if (!is_standard_output(options.path)) temporary_.emplace(options.path, AtomicPath::Type::file);
  encoder_ = open_encoder(encoding_, options_.width, options_.height);
  if (!encoder_) {
    throw Error(ErrorKind::output,
                "cannot write " + file_ + ": the encoder " + encoding_.encoder + " did not start");
  }
  open_muxer();
  const bool has_palette = encoder_->pix_fmt == AV_PIX_FMT_PAL8;
  const AVPixelFormat converted = has_palette ? AV_PIX_FMT_RGB32 : encoder_->pix_fmt;
  if (has_palette) {
    palette_.emplace(kPaletteFilters, converted, options_.width, options_.height,
                     encoder_->time_base, encoder_->pix_fmt, file_);
  }
  scaler_.emplace(options_.width, options_.height, encoding_.input_bit_depth(), converted, file_);
  frame_ = new_frame(converted, options_.width, options_.height, file_);
  packet_.reset(check(av_packet_alloc(), "av_packet_alloc"));
}

void VideoSink::open_muxer() {
  const std::string url = temporary_ ? "file:" + temporary_->temporary_path().string() : "pipe:1";
  AVFormatContext* context = nullptr;
  check(avformat_alloc_output_context2(&context, nullptr, std::string(format_.muxer).c_str(),
                                       url.c_str()),
        "avformat_alloc_output_context2");
  muxer_.reset(context);
  muxer_->flags |= AVFMT_FLAG_BITEXACT;  // no library versions and no time in the file
  muxer_->strict_std_compliance = FF_COMPLIANCE_UNOFFICIAL;  // y4m of more than 8 bits
  stream_ = check(avformat_new_stream(muxer_.get(), nullptr), "avformat_new_stream");
  stream_->time_base = encoder_->time_base;
  stream_->avg_frame_rate = encoder_->framerate;
  stream_->r_frame_rate = encoder_->framerate;
  check(avcodec_parameters_from_context(stream_->codecpar, encoder_.get()),
        "avcodec_parameters_from_context");
  if (encoder_->codec_id == AV_CODEC_ID_HEVC && !format_.hevc_tag.empty()) {
    const std::string_view tag = format_.hevc_tag;
    stream_->codecpar->codec_tag = MKTAG(tag[0], tag[1], tag[2], tag[3]);
  }
  if (format_.keeps_metadata && !options_.metadata.empty()) {
    check(av_dict_set(&muxer_->metadata, "comment", options_.metadata.c_str(), 0), "av_dict_set");
  }
  check(avio_open(&muxer_->pb, url.c_str(), AVIO_FLAG_WRITE), "avio_open");
  for (const auto& [name, value] : temporary_ ? format_.file_options : format_.stream_options) {
    check(av_opt_set(muxer_->priv_data, std::string(name).c_str(), std::string(value).c_str(), 0),
          "av_opt_set(muxer)");
  }
  check(avformat_write_header(muxer_.get(), nullptr), "avformat_write_header");
}

void VideoSink::write(std::span<const std::uint8_t> rgb) {
  const std::size_t bytes_per_pixel = bit_depth() / 8 * 3;
  if (rgb.size() != bytes_per_pixel * options_.width * options_.height ||
      written_ == encoding_.frames) {
    throw Error(ErrorKind::internal, file_ + ": a frame of the wrong size or too many frames");
  }
  scaler_->convert(rgb, frame_.get());
  frame_->pts = written_++;
  if (palette_)
    filter(frame_.get());
  else
    encode(frame_.get());
}

/// Sends a frame, or null at the end, through the filters and encodes what comes out.
void VideoSink::filter(AVFrame* frame) {
  palette_->send(frame);
  while (const libav::Frame filtered = palette_->receive()) {
    filtered->pts = av_rescale_q(filtered->pts, palette_->output_time_base(), encoder_->time_base);
    encode(filtered.get());
  }
}

/// Sends a frame, or null at the end, and writes all packets that are ready.
void VideoSink::encode(const AVFrame* frame) {
  check(avcodec_send_frame(encoder_.get(), frame), "avcodec_send_frame");
  for (;;) {
    const int code = avcodec_receive_packet(encoder_.get(), packet_.get());
    if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return;
    check(code, "avcodec_receive_packet");
    packet_->stream_index = stream_->index;
    packet_->duration = 1;
    av_packet_rescale_ts(packet_.get(), encoder_->time_base, stream_->time_base);
    check(av_interleaved_write_frame(muxer_.get(), packet_.get()), "av_interleaved_write_frame");
    check(muxer_->pb->error, "writing");
  }
}

void VideoSink::finish() {
  if (written_ != encoding_.frames) {
    throw Error(ErrorKind::internal, file_ + ": expected " + std::to_string(encoding_.frames) +
                                         " frames, got " + std::to_string(written_));
  }
  if (palette_) filter(nullptr);
  encode(nullptr);
  check(av_write_trailer(muxer_.get()), "av_write_trailer");
  check(muxer_->pb->error, "writing");
  check(avio_closep(&muxer_->pb), "closing");
  if (!temporary_) return;
  verify();
  sidecar_.publish_before([&] { temporary_->commit(options_.overwrite); });
}

/// Reads back what was written: the file is only published if it is what was asked for.
void VideoSink::verify() const {
  const auto& path = temporary_->temporary_path();
  if (format_.demuxer.empty())
    verify_webp(path, encoding_, options_.width, options_.height, file_);
  else
    verify_video(path, encoding_, options_.width, options_.height, options_.metadata, file_);
}

}  // namespace

std::unique_ptr<FrameSink> open_video(const OutputOptions& options, const Encoding& encoding) {
  return std::make_unique<VideoSink>(options, encoding);
}

}  // namespace svd::media
