#pragma once

#include <cstdint>
#include <memory>
#include <string>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/frame.h>
#include <libswscale/swscale.h>
}

#include "svd/error.h"

/// Owning aliases and the one error check for libav. Private to src/media.
namespace svd::media::libav {

/// Calls `release(&pointer)`, as most of libav wants it.
template <auto release>
struct ByAddress {
  template <typename T>
  void operator()(T* pointer) const {
    release(&pointer);
  }
};

struct SwsRelease {
  void operator()(SwsContext* context) const { sws_freeContext(context); }
};

/// Releases a muxer and the file it writes to, if that is still open.
struct MuxerRelease {
  void operator()(AVFormatContext* context) const {
    avio_closep(&context->pb);
    avformat_free_context(context);
  }
};

using Codec = std::unique_ptr<AVCodecContext, ByAddress<avcodec_free_context>>;
using Demuxer = std::unique_ptr<AVFormatContext, ByAddress<avformat_close_input>>;
using Frame = std::unique_ptr<AVFrame, ByAddress<av_frame_free>>;
using Muxer = std::unique_ptr<AVFormatContext, MuxerRelease>;
using Packet = std::unique_ptr<AVPacket, ByAddress<av_packet_free>>;
using Scaler = std::unique_ptr<SwsContext, SwsRelease>;

/// Returns `code` unless it is an error: then throws Error{kind}, for an output "cannot write FILE:
/// TEXT", else "FILE: CALL failed: TEXT".
int check(int code, const char* call, const std::string& file, ErrorKind kind);

/// Returns `pointer`, throws Error{kind} when it is null.
template <typename T>
T* check(T* pointer, const char* call, const std::string& file, ErrorKind kind) {
  if (pointer == nullptr) check(AVERROR(ENOMEM), call, file, kind);
  return pointer;
}

/// What AVCodecContext::max_pixels has to be for pictures of so many: decoders count padding too.
constexpr std::int64_t with_padding(std::int64_t pixels) { return pixels + pixels / 8 + 65536; }

/// libav and its codecs print nothing from here on.
void silence();

}  // namespace svd::media::libav
