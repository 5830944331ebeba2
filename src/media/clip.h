#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "media/byte_source.h"
#include "media/libav.h"

namespace svd::media {

/// The pictures of one video stream, decoded one after the other. Private to src/media. Throws
/// Error{image}.
class Clip {
 public:
  /// Opens `source` as `container` (libav's name of a demuxer); nothing else is ever opened.
  Clip(const ByteSource& source, const char* container, std::string name, std::int64_t max_pixels);
  Clip(const Clip&) = delete;
  Clip& operator=(const Clip&) = delete;

  /// Null after the last one. Damaged packets are skipped.
  libav::Frame next();

  /// Goes to a key frame at or before `timestamp`, as far as the container knows; false where it
  /// cannot.
  bool seek(std::int64_t timestamp);

  const AVStream& stream() const { return *stream_; }

  /// Of the whole clip in the stream's time base, as the container says; 0 if it says nothing.
  std::int64_t duration() const;

  /// Columns that a picture of its has when its pixels are made square, with as many rows.
  int square_width(AVFrame& frame) const;

  /// How the rows and columns of its pictures lie, as EXIF counts: 1 (upright) to 8.
  int orientation() const;

 private:
  void open_container(const char* container);
  void open_decoder();
  void check_size_of(const AVCodecParameters& parameters) const;
  void send_packet();
  int check(int code, const char* call) const;
  static int read(void* self, std::uint8_t* target, int size);
  static std::int64_t seek_bytes(void* self, std::int64_t offset, int whence);

  /// The reading side of libav, with its buffer.
  struct InputRelease {
    void operator()(AVIOContext* context) const {
      av_freep(&context->buffer);
      avio_context_free(&context);
    }
  };

  const ByteSource& source_;
  std::int64_t position_ = 0;
  std::string name_;
  std::int64_t max_pixels_;
  std::unique_ptr<AVIOContext, InputRelease> input_;  // outlives what reads from it
  libav::Demuxer demuxer_;
  AVStream* stream_ = nullptr;
  libav::Codec decoder_;
  libav::Packet packet_;
  bool sent_all_ = false;
};

}  // namespace svd::media
