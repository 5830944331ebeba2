#include "media/clip.h"

#include <algorithm>
#include <exception>
#include <utility>
#include <vector>

#include "media/image_reader.h"

extern "C" {
#include <libavutil/avstring.h>
#include <libavutil/dict.h>
#include <libavutil/display.h>
}

namespace svd::media {
namespace {

/// What cameras, editors and browsers write. libav knows many more, little used and little tested.
constexpr const char* kDecoders =
    "h264,hevc,av1,libdav1d,libaom-av1,vp8,vp9,mpeg4,mpeg1video,mpeg2video,msmpeg4,msmpeg4v2,h263,"
    "theora,mjpeg,png,gif,rawvideo,v210,ffv1,huffyuv,ffvhuff,utvideo,prores,dnxhd,dvvideo,qtrle";

/// Files may name other files; none is opened.
int refuse_to_open(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
  return AVERROR(EACCES);
}

/// Options for each stream of `demuxer` while libav looks into it.
class StreamOptions {
 public:
  StreamOptions(const AVFormatContext& demuxer, std::int64_t max_pixels)
      : options_(demuxer.nb_streams) {
    for (AVDictionary*& option : options_) av_dict_set_int(&option, "max_pixels", max_pixels, 0);
  }
  ~StreamOptions() {
    for (AVDictionary*& option : options_) av_dict_free(&option);
  }
  StreamOptions(const StreamOptions&) = delete;
  StreamOptions& operator=(const StreamOptions&) = delete;

  AVDictionary** data() { return options_.empty() ? nullptr : options_.data(); }

 private:
  std::vector<AVDictionary*> options_;
};

}  // namespace

Clip::Clip(const ByteSource& source, const char* container, std::string name,
           std::int64_t max_pixels)
    : source_(source), name_(std::move(name)), max_pixels_(max_pixels), packet_(av_packet_alloc()) {
  libav::silence();
  libav::check(packet_.get(), "av_packet_alloc", name_, ErrorKind::image);
  open_container(container);
  open_decoder();
}

void Clip::open_container(const char* container) {
  const AVInputFormat* format = av_find_input_format(container);
  if (format == nullptr)
    throw Error(ErrorKind::image, name_ + ": the FFmpeg libraries cannot read " + container);
  constexpr int buffer_bytes = 32 << 10;
  auto* buffer = static_cast<unsigned char*>(av_malloc(buffer_bytes));
  input_.reset(avio_alloc_context(buffer, buffer_bytes, 0, this, read, nullptr, seek_bytes));
  if (!input_) av_free(buffer);
  libav::check(input_.get(), "avio_alloc_context", name_, ErrorKind::image);
  AVFormatContext* context =
      libav::check(avformat_alloc_context(), "avformat_alloc_context", name_, ErrorKind::image);
  context->pb = input_.get();
  context->flags |= AVFMT_FLAG_CUSTOM_IO;
  context->io_open = refuse_to_open;
  context->max_streams = 64;
  context->codec_whitelist = av_strdup(kDecoders);
  // Frees the context when it fails.
  check(avformat_open_input(&context, nullptr, format, nullptr), "opening the clip");
  demuxer_.reset(context);
  for (unsigned i = 0; i < demuxer_->nb_streams; ++i) {
    const AVCodecParameters& parameters = *demuxer_->streams[i]->codecpar;
    // libav looks into all of them, so that a cover counts as well.
    if (std::int64_t{parameters.width} * parameters.height > max_pixels_) check_size_of(parameters);
  }
  StreamOptions options(*demuxer_, libav::with_padding(max_pixels_));
  check(avformat_find_stream_info(demuxer_.get(), options.data()), "reading the clip");
}

void Clip::open_decoder() {
  const int index = av_find_best_stream(demuxer_.get(), AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
  if (index >= 0) stream_ = demuxer_->streams[index];
  if (stream_ == nullptr || (stream_->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0)
    throw Error(ErrorKind::image, name_ + " holds no video");
  const AVCodecParameters& parameters = *stream_->codecpar;
  check_size_of(parameters);
  const AVCodec* codec = avcodec_find_decoder(parameters.codec_id);
  if (codec == nullptr || av_match_list(codec->name, kDecoders, ',') == 0) {
    throw Error(
        ErrorKind::image,
        name_ + ": video of the kind " + avcodec_get_name(parameters.codec_id) + " is not read",
        "convert it: ffmpeg -i '" + name_ + "' -frames:v 1 picture.png");
  }
  for (unsigned i = 0; i < demuxer_->nb_streams; ++i)
    if (static_cast<int>(i) != index) demuxer_->streams[i]->discard = AVDISCARD_ALL;
  decoder_.reset(avcodec_alloc_context3(codec));
  libav::check(decoder_.get(), "avcodec_alloc_context3", name_, ErrorKind::image);
  check(avcodec_parameters_to_context(decoder_.get(), &parameters), "reading the clip");
  decoder_->max_pixels = libav::with_padding(max_pixels_);
  decoder_->pkt_timebase = stream_->time_base;
  decoder_->thread_count = 1;
  check(avcodec_open2(decoder_.get(), codec, nullptr), "opening the decoder");
}

void Clip::check_size_of(const AVCodecParameters& parameters) const {
  check_size(parameters.width, parameters.height, max_pixels_, name_);
}

libav::Frame Clip::next() {
  libav::Frame frame(libav::check(av_frame_alloc(), "av_frame_alloc", name_, ErrorKind::image));
  for (;;) {
    const int code = avcodec_receive_frame(decoder_.get(), frame.get());
    if (code == AVERROR_EOF || (code == AVERROR(EAGAIN) && sent_all_)) return nullptr;
    if (code == AVERROR(ENOMEM)) check(code, "decoding");
    if (code == 0) {
      check_size(frame->width, frame->height, max_pixels_, name_);
      return frame;
    }
    send_packet();  // of a damaged packet there is nothing left
  }
}

void Clip::send_packet() {
  if (sent_all_) return;
  const int code = av_read_frame(demuxer_.get(), packet_.get());
  if (code < 0) {
    sent_all_ = true;
    avcodec_send_packet(decoder_.get(), nullptr);
    return;
  }
  if (packet_->stream_index == stream_->index) avcodec_send_packet(decoder_.get(), packet_.get());
  av_packet_unref(packet_.get());
}

bool Clip::seek(std::int64_t timestamp) {
  if (av_seek_frame(demuxer_.get(), stream_->index, timestamp, AVSEEK_FLAG_BACKWARD) < 0)
    return false;
  avcodec_flush_buffers(decoder_.get());
  sent_all_ = false;
  return true;
}

std::int64_t Clip::duration() const {
  if (stream_->duration > 0) return stream_->duration;
  if (demuxer_->duration <= 0) return 0;
  return av_rescale_q(demuxer_->duration, AVRational{1, AV_TIME_BASE}, stream_->time_base);
}

int Clip::square_width(AVFrame& frame) const {
  const AVRational shape = av_guess_sample_aspect_ratio(demuxer_.get(), stream_, &frame);
  constexpr std::int64_t most = 4;  // what is flatter or slimmer is a mistake
  const bool sensible = shape.num > 0 && shape.den > 0 && shape.num <= most * shape.den &&
                        shape.den <= most * shape.num;
  if (!sensible) return frame.width;
  const auto width = static_cast<int>(av_rescale(frame.width, shape.num, shape.den));
  check_size(width, frame.height, max_pixels_, name_);
  return width;
}

int Clip::orientation() const {
  std::size_t bytes = 0;
  const std::uint8_t* data = av_stream_get_side_data(stream_, AV_PKT_DATA_DISPLAYMATRIX, &bytes);
  if (data == nullptr || bytes < 9 * sizeof(std::int32_t)) return 1;
  const auto* matrix = reinterpret_cast<const std::int32_t*>(data);
  // The stored pixel (x, y) is shown at (a x + c y, b x + d y); turns by other angles are ignored.
  const std::int32_t a = matrix[0], b = matrix[1], c = matrix[3], d = matrix[4];
  if (b == 0 && c == 0) return a >= 0 ? (d >= 0 ? 1 : 4) : (d >= 0 ? 2 : 3);
  if (a == 0 && d == 0) return b >= 0 ? (c >= 0 ? 5 : 6) : (c >= 0 ? 8 : 7);
  return 1;
}

int Clip::check(int code, const char* call) const {
  return libav::check(code, call, name_, ErrorKind::image);
}

int Clip::read(void* self, std::uint8_t* target, int size) {
  auto* clip = static_cast<Clip*>(self);
  try {
    const std::size_t count = clip->source_.read_at(static_cast<std::uint64_t>(clip->position_),
                                                    {target, static_cast<std::size_t>(size)});
    clip->position_ += static_cast<std::int64_t>(count);
    return count == 0 ? AVERROR_EOF : static_cast<int>(count);
  } catch (const std::exception&) {
    return AVERROR(EIO);  // no exception may pass through libav
  }
}

std::int64_t Clip::seek_bytes(void* self, std::int64_t offset, int whence) {
  auto* clip = static_cast<Clip*>(self);
  const auto size = static_cast<std::int64_t>(clip->source_.size());
  if ((whence & AVSEEK_SIZE) != 0) return size;
  whence &= ~AVSEEK_FORCE;
  if (whence == SEEK_CUR) offset += clip->position_;
  if (whence == SEEK_END) offset += size;
  if (offset < 0) return AVERROR(EINVAL);
  return clip->position_ = offset;
}

}  // namespace svd::media
