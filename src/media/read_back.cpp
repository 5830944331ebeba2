#include "media/read_back.h"

#include <cmath>
#include <string_view>

#include "media/file_bytes.h"
#include "media/formats.h"
#include "media/libav.h"

namespace svd::media {
namespace {

namespace fs = std::filesystem;

/// What a file turned out to hold.
struct Found {
  int frames = 0;
  int width = 0;
  int height = 0;
  double seconds = 0;  ///< from the first frame to the end of the last
  double fps = 0;
};

[[noreturn]] void refuse(const std::string& shown, const Found& found) {
  throw Error(ErrorKind::output,
              shown + ": what was written reads back as " + std::to_string(found.frames) +
                  " frames of " + std::to_string(found.width) + "x" + std::to_string(found.height) +
                  " at " + std::to_string(found.fps) + " a second");
}

Found count_frames(AVFormatContext* demuxer, int index, const std::string& shown) {
  const libav::Packet packet(
      libav::check(av_packet_alloc(), "av_packet_alloc", shown, ErrorKind::output));
  const AVStream& stream = *demuxer->streams[index];
  Found found;
  int code = 0;
  while ((code = av_read_frame(demuxer, packet.get())) >= 0) {
    if (packet->stream_index == index) {
      ++found.frames;
      found.seconds =
          static_cast<double>(packet->pts + packet->duration) * av_q2d(stream.time_base);
    }
    av_packet_unref(packet.get());
  }
  if (code != AVERROR_EOF) libav::check(code, "av_read_frame", shown, ErrorKind::output);
  found.width = stream.codecpar->width;
  found.height = stream.codecpar->height;
  found.fps = av_q2d(stream.avg_frame_rate);
  return found;
}

}  // namespace

void verify_video(const fs::path& file, const Encoding& encoding, int width, int height,
                  const std::string& metadata, const std::string& shown) {
  const auto check = [&](int code, const char* call) {
    return libav::check(code, call, shown, ErrorKind::output);
  };
  const Format& format = *find_format(encoding.format);
  AVFormatContext* context = nullptr;
  check(avformat_open_input(&context, ("file:" + file.string()).c_str(),
                            av_find_input_format(std::string(format.demuxer).c_str()), nullptr),
        "reading back");
  const libav::Demuxer demuxer(context);
  check(avformat_find_stream_info(demuxer.get(), nullptr), "reading back");
  const int index = check(
      av_find_best_stream(demuxer.get(), AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0), "reading back");
  const Found found = count_frames(demuxer.get(), index, shown);
  // A GIF counts in hundredths of a second.
  constexpr double gif_tolerance = 0.016;
  const bool rate_is_right =
      format.name == "gif"
          ? std::abs(found.seconds - encoding.frames / encoding.fps) < gif_tolerance
          : std::abs(found.fps / encoding.fps - 1.0) < 1e-4;
  if (found.frames != encoding.frames || found.width != width || found.height != height ||
      !rate_is_right) {
    refuse(shown, found);
  }
  if (metadata.empty() || !format.keeps_metadata) return;
  const AVDictionaryEntry* comment = av_dict_get(demuxer->metadata, "comment", nullptr, 0);
  if (comment == nullptr || comment->value != metadata)
    throw Error(ErrorKind::output, shown + ": the file does not keep its metadata");
}

void verify_webp(const fs::path& file, const Encoding& encoding, int width, int height,
                 const std::string& shown) {
  constexpr std::size_t no_limit = SIZE_MAX;
  const auto bytes = read_file(file, no_limit).value_or(std::vector<std::uint8_t>());
  const auto little = [&](std::size_t at, int size) {
    std::uint32_t value = 0;
    for (int i = 0; i < size; ++i)
      value |= static_cast<std::uint32_t>(bytes.at(at + static_cast<std::size_t>(i))) << (8 * i);
    return value;
  };
  constexpr std::size_t file_header = 12, chunk_header = 8;
  Found found;
  std::uint32_t milliseconds = 0;
  bool is_still = false;
  for (std::size_t at = file_header; at + chunk_header + 16 <= bytes.size();) {
    const std::string_view name(reinterpret_cast<const char*>(bytes.data()) + at, 4);
    const std::size_t body = at + chunk_header;
    if (name == "VP8X") {
      found.width = static_cast<int>(little(body + 4, 3)) + 1;
      found.height = static_cast<int>(little(body + 7, 3)) + 1;
    } else if (name == "ANMF") {
      ++found.frames;
      milliseconds += little(body + 12, 3);
    } else if (name == "VP8 " || name == "VP8L") {
      is_still = true;  // all frames were equal
    }
    at = body + little(at + 4, 4);
    at += at % 2;
  }
  found.seconds = milliseconds / 1000.0;
  found.fps = found.seconds > 0 ? found.frames / found.seconds : 0;
  if (is_still && found.frames == 0) return;
  constexpr double tolerance = 0.02;  // the duration of the last frame is an average
  if (found.frames < 1 || found.frames > encoding.frames || found.width != width ||
      found.height != height ||
      std::abs(found.seconds - encoding.frames / encoding.fps) > tolerance) {
    refuse(shown, found);
  }
}

}  // namespace svd::media
