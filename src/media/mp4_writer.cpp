#include "media/mp4_writer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "base/atomic_file.h"
#include "media/libav.h"
#include "svd/error.h"

extern "C" {
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
}

namespace svd::media {
namespace {

constexpr const char* kCrf = "17";
constexpr const char* kPreset = "medium";

const AVCodec* find_encoder(const std::string& file) {
  const AVCodec* encoder = avcodec_find_encoder_by_name("libx264");
  if (encoder == nullptr) encoder = avcodec_find_encoder(AV_CODEC_ID_H264);
  if (encoder == nullptr) {
    throw Error(ErrorKind::output, file + ": the FFmpeg libraries have no H.264 encoder",
                "install a libavcodec with libx264, or write PNG frames: -o frames/");
  }
  return encoder;
}

/// Encodes to H.264 in an MP4.
///
/// Note: [Frame rate and time stamps]
/// The encoder counts in frames: time base 1/rate, frame i has pts i and duration 1. The muxer
/// picks its own finer base; packets are rescaled to it, exactly, as its base divides ours. With
/// B-frames the first decoding times are negative; the muxer shifts them and says so in an edit
/// list, so that a clip of n frames starts at 0 and lasts n/rate. Every packet carries its
/// duration: without it the last frame's would be guessed.
///
///     display   0  1  2  3  4      pts      0 1 2 3 4
///     decoding  0  4  2  1  3      dts     -2 -1 0 1 2
class Mp4Sink : public FrameSink {
 public:
  explicit Mp4Sink(const OutputOptions& options)
      : options_(options),
        file_(options.path.string()),
        rate_(frame_rate(options.fps)),
        temporary_(options.path, AtomicPath::Type::file),
        url_("file:" + temporary_.temporary_path().string()) {
    if (options.width % 2 != 0 || options.height % 2 != 0)
      throw Error(ErrorKind::output, file_ + ": yuv420p needs even sides");
    libav::silence();
    open_encoder();
    open_muxer();
    open_scaler();
    packet_.reset(check(av_packet_alloc(), "av_packet_alloc"));
  }

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

  void open_encoder();
  void open_muxer();
  void open_scaler();
  void encode(const AVFrame* frame);
  void verify() const;

  OutputOptions options_;
  std::string file_;  ///< the final name, for messages
  AVRational rate_;
  AtomicPath temporary_;
  std::string url_;
  libav::Codec encoder_;
  libav::Muxer muxer_;
  libav::Scaler scaler_;
  libav::Frame frame_;
  libav::Packet packet_;
  AVStream* stream_ = nullptr;  ///< owned by muxer_
  int written_ = 0;
};

void Mp4Sink::open_encoder() {
  const AVCodec* codec = find_encoder(file_);
  encoder_.reset(check(avcodec_alloc_context3(codec), "avcodec_alloc_context3"));
  encoder_->width = options_.width;
  encoder_->height = options_.height;
  encoder_->pix_fmt = AV_PIX_FMT_YUV420P;
  encoder_->time_base = av_inv_q(rate_);
  encoder_->framerate = rate_;
  encoder_->thread_count = 1;  // the bytes depend on it
  encoder_->color_primaries = AVCOL_PRI_BT709;
  encoder_->color_trc = AVCOL_TRC_BT709;
  encoder_->colorspace = AVCOL_SPC_BT709;
  encoder_->color_range = AVCOL_RANGE_MPEG;
  encoder_->chroma_sample_location = AVCHROMA_LOC_LEFT;
  encoder_->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_BITEXACT;
  if (std::string(codec->name) == "libx264") {
    check(av_opt_set(encoder_->priv_data, "crf", kCrf, 0), "av_opt_set(crf)");
    check(av_opt_set(encoder_->priv_data, "preset", kPreset, 0), "av_opt_set(preset)");
  } else {
    // Other encoders know no crf: bits enough that none of them is to be seen.
    encoder_->bit_rate =
        static_cast<std::int64_t>(options_.width * options_.height * av_q2d(rate_) / 4);
  }
  check(avcodec_open2(encoder_.get(), codec, nullptr), "avcodec_open2");
}

void Mp4Sink::open_muxer() {
  AVFormatContext* context = nullptr;
  check(avformat_alloc_output_context2(&context, nullptr, "mp4", url_.c_str()),
        "avformat_alloc_output_context2");
  muxer_.reset(context);
  muxer_->flags |= AVFMT_FLAG_BITEXACT;  // no library versions and no time in the file
  stream_ = check(avformat_new_stream(muxer_.get(), nullptr), "avformat_new_stream");
  stream_->time_base = encoder_->time_base;
  stream_->avg_frame_rate = rate_;
  check(avcodec_parameters_from_context(stream_->codecpar, encoder_.get()),
        "avcodec_parameters_from_context");
  check(avio_open(&muxer_->pb, url_.c_str(), AVIO_FLAG_WRITE), "avio_open");
  check(av_opt_set(muxer_->priv_data, "movflags", "+faststart", 0), "av_opt_set(movflags)");
  check(avformat_write_header(muxer_.get(), nullptr), "avformat_write_header");
}

void Mp4Sink::open_scaler() {
  scaler_.reset(check(sws_alloc_context(), "sws_alloc_context"));
  const int flags = SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP;
  const std::array<std::pair<const char*, std::int64_t>, 9> values = {{
      {"srcw", options_.width},
      {"srch", options_.height},
      {"src_format", AV_PIX_FMT_RGB24},
      {"dstw", options_.width},
      {"dsth", options_.height},
      {"dst_format", AV_PIX_FMT_YUV420P},
      {"sws_flags", flags},
      {"dst_h_chr_pos", 0},    // chroma sits on the left luma sample,
      {"dst_v_chr_pos", 128},  // between two rows
  }};
  for (const auto& [name, value] : values)
    check(av_opt_set_int(scaler_.get(), name, value, 0), "av_opt_set_int(swscale)");
  check(sws_init_context(scaler_.get(), nullptr, nullptr), "sws_init_context");
  const int* bt709 = sws_getCoefficients(SWS_CS_ITU709);
  constexpr int full_range = 1, limited_range = 0, unity = 1 << 16;
  check(sws_setColorspaceDetails(scaler_.get(), bt709, full_range, bt709, limited_range, 0, unity,
                                 unity),
        "sws_setColorspaceDetails");

  frame_.reset(check(av_frame_alloc(), "av_frame_alloc"));
  frame_->format = encoder_->pix_fmt;
  frame_->width = options_.width;
  frame_->height = options_.height;
  frame_->color_primaries = encoder_->color_primaries;
  frame_->color_trc = encoder_->color_trc;
  frame_->colorspace = encoder_->colorspace;
  frame_->color_range = encoder_->color_range;
  frame_->chroma_location = encoder_->chroma_sample_location;
  check(av_frame_get_buffer(frame_.get(), 0), "av_frame_get_buffer");
}

void Mp4Sink::write(std::span<const std::uint8_t> rgb) {
  if (rgb.size() != static_cast<std::size_t>(options_.width) * options_.height * 3 ||
      written_ == options_.frames) {
    throw Error(ErrorKind::internal, file_ + ": a frame of the wrong size or too many frames");
  }
  check(av_frame_make_writable(frame_.get()), "av_frame_make_writable");
  const std::uint8_t* planes[] = {rgb.data()};
  const int strides[] = {options_.width * 3};
  check(
      sws_scale(scaler_.get(), planes, strides, 0, options_.height, frame_->data, frame_->linesize),
      "sws_scale");
  frame_->pts = written_++;
  encode(frame_.get());
}

/// Sends a frame, or null at the end, and writes all packets that are ready.
void Mp4Sink::encode(const AVFrame* frame) {
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

void Mp4Sink::finish() {
  if (written_ != options_.frames) {
    throw Error(ErrorKind::internal, file_ + ": expected " + std::to_string(options_.frames) +
                                         " frames, got " + std::to_string(written_));
  }
  encode(nullptr);
  check(av_write_trailer(muxer_.get()), "av_write_trailer");
  check(muxer_->pb->error, "writing");
  check(avio_closep(&muxer_->pb), "closing");
  verify();
  temporary_.commit(options_.overwrite);
}

/// Reads back what was written: the file is only published if it is what was asked for.
void Mp4Sink::verify() const {
  AVFormatContext* context = nullptr;
  check(avformat_open_input(&context, url_.c_str(), av_find_input_format("mp4"), nullptr),
        "avformat_open_input");
  const libav::Demuxer demuxer(context);
  check(avformat_find_stream_info(demuxer.get(), nullptr), "avformat_find_stream_info");
  const int index = check(
      av_find_best_stream(demuxer.get(), AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0), "reading back");
  const AVStream& stream = *demuxer->streams[index];
  int frames = 0;
  int code = 0;
  while ((code = av_read_frame(demuxer.get(), packet_.get())) >= 0) {
    if (packet_->stream_index == index) ++frames;
    av_packet_unref(packet_.get());
  }
  if (code != AVERROR_EOF) check(code, "av_read_frame");
  const double rate = av_q2d(stream.avg_frame_rate);
  if (frames != options_.frames || stream.codecpar->width != options_.width ||
      stream.codecpar->height != options_.height || std::abs(rate / av_q2d(rate_) - 1.0) > 1e-4) {
    throw Error(ErrorKind::output, file_ + ": what was written reads back as " +
                                       std::to_string(frames) + " frames of " +
                                       std::to_string(stream.codecpar->width) + "x" +
                                       std::to_string(stream.codecpar->height) + " at " +
                                       std::to_string(rate) + " a second");
  }
}

}  // namespace

AVRational frame_rate(double fps) {
  for (const int n : {12, 15, 24, 30, 48, 60, 72, 90, 96, 120, 144, 240}) {
    const double exact = n * 1000.0 / 1001.0;
    const double two_decimals = std::round(exact * 100) / 100;
    if (std::abs(fps - exact) < 6e-4 || std::abs(fps - two_decimals) < 1e-9)
      return {n * 1000, 1001};
  }
  constexpr int max_term = 1'000'000;
  const AVRational rate = av_d2q(fps, max_term);
  if (!std::isfinite(fps) || rate.num <= 0 || rate.den <= 0) {
    throw Error(ErrorKind::output,
                "a frame rate of " + std::to_string(fps) + " cannot be stored in an MP4");
  }
  return rate;
}

std::unique_ptr<FrameSink> open_mp4(const OutputOptions& options) {
  return std::make_unique<Mp4Sink>(options);
}

}  // namespace svd::media
