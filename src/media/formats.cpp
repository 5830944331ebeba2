#include "media/formats.h"

#include <algorithm>

namespace svd::media {
namespace {

template <typename Range, typename Value>
bool contains(const Range& range, const Value& value) {
  return std::find(range.begin(), range.end(), value) != range.end();
}

const std::vector<EncoderSettings>& all_settings() {
  static const std::vector<EncoderSettings> table = {
      {"libx264", "crf", {{"preset", "medium"}}},
      {"libx265",
       "crf",
       {{"preset", "medium"}, {"x265-params", "log-level=none:pools=none:frame-threads=1"}}},
      {"libsvtav1", "crf", {{"preset", "6"}, {"svtav1-params", "lp=1"}}},
      {"libaom-av1", "crf", {{"b", "0"}, {"cpu-used", "4"}}},
      {"libvpx-vp9", "crf", {{"b", "0"}, {"deadline", "good"}, {"cpu-used", "2"}}},
      {"ffv1", "", {{"level", "3"}, {"g", "1"}, {"slicecrc", "1"}}},
      {"prores_ks", "", {{"profile", "hq"}, {"vendor", "apl0"}}},
      {"gif", "", {}},
      {"libwebp_anim", "", {}},
      {"wrapped_avframe", "", {}},
      {"h264_nvenc", "cq", {{"rc", "vbr"}, {"b", "0"}}},
      {"hevc_nvenc", "cq", {{"rc", "vbr"}, {"b", "0"}}},
      {"av1_nvenc", "cq", {{"rc", "vbr"}, {"b", "0"}}},
  };
  return table;
}

}  // namespace

const std::vector<Format>& formats() {
  // A pipe cannot be wound back: fragments, the first of which waits for the first time stamps.
  static const LibavOptions fragments = {
      {"movflags", "+frag_keyframe+empty_moov+default_base_moof+delay_moov"}};
  static const LibavOptions index_first = {{"movflags", "+faststart"}};
  static const LibavOptions for_ever = {{"loop", "0"}};
  static const std::vector<Format> table = {
      {.name = "mp4",
       .extensions = {".mp4", ".m4v"},
       .codecs = {"h264", "h265", "av1"},
       .keeps_metadata = true,
       .muxer = "mp4",
       .demuxer = "mov",
       .hevc_tag = "hvc1",
       .file_options = index_first,
       .stream_options = fragments},
      {.name = "mov",
       .extensions = {".mov"},
       .codecs = {"h264", "h265", "prores"},
       .keeps_metadata = true,
       .muxer = "mov",
       .demuxer = "mov",
       .hevc_tag = "hvc1",
       .file_options = index_first,
       .stream_options = fragments},
      {.name = "mkv",
       .extensions = {".mkv"},
       .codecs = {"h264", "h265", "av1", "vp9", "ffv1"},
       .keeps_metadata = true,
       .muxer = "matroska",
       .demuxer = "matroska",
       .most_fps = 500},  // it counts milliseconds
      {.name = "webm",
       .extensions = {".webm"},
       .codecs = {"vp9", "av1"},
       .keeps_metadata = true,
       .muxer = "webm",
       .demuxer = "matroska",
       .most_fps = 500},
      {.name = "gif",
       .extensions = {".gif"},
       .codecs = {"gif"},
       .muxer = "gif",
       .demuxer = "gif",
       .most_fps = 50,  // it counts hundredths, and players slow single ones down
       .file_options = for_ever,
       .stream_options = for_ever},
      {.name = "webp",
       .extensions = {".webp"},
       .codecs = {"webp"},
       .muxer = "webp",
       .file_options = for_ever,
       .stream_options = for_ever},
      {.name = "y4m",
       .extensions = {".y4m"},
       .codecs = {"rawvideo"},
       .muxer = "yuv4mpegpipe",
       .demuxer = "yuv4mpegpipe"},
      {.name = "png",
       .extensions = {".png"},
       .codecs = {"png"},
       .container = Container::pictures,
       .keeps_metadata = true},
      {.name = "jpeg",
       .extensions = {".jpg", ".jpeg"},
       .codecs = {"jpeg"},
       .container = Container::pictures},
      {.name = "tiff",
       .extensions = {".tif", ".tiff"},
       .codecs = {"tiff"},
       .container = Container::pictures},
  };
  return table;
}

const std::vector<Codec>& codecs() {
  static const std::vector<PixelChoice> yuv = {{8, "yuv420p", "yuv444p"},
                                               {10, "yuv420p10", "yuv444p10"}};
  // name, aliases, libav's name, encoders, pixels, crf, quality, pixel formats
  static const std::vector<Codec> table = {
      {"h264", {"avc", "x264"}, "h264", {"libx264"}, yuv, CrfRange{0, 51, 17}, {}, {}},
      {"h265", {"hevc", "x265"}, "hevc", {"libx265"}, yuv, CrfRange{0, 51, 19}, {}, {}},
      {"av1", {}, "av1", {"libsvtav1", "libaom-av1"}, yuv, CrfRange{1, 63, 22}, {}, {}},
      {"vp9", {}, "vp9", {"libvpx-vp9"}, yuv, CrfRange{0, 63, 20}, {}, {}},
      {"ffv1",
       {},
       "ffv1",
       {"ffv1"},
       {{8, "bgr0", "bgr0"}, {10, "gbrp10", "gbrp10"}, {16, "gbrp16", "gbrp16"}},
       {},
       {},
       {}},
      {"prores",
       {},
       "prores",
       {"prores_ks"},
       {{10, "yuv422p10", "yuv422p10"}},
       {},
       {},
       {"yuv422p10"}},
      {"gif", {}, "gif", {"gif"}, {{8, "pal8", "pal8"}}, {}, {}, {"pal8"}},
      {"webp", {}, "webp", {"libwebp_anim"}, {{8, "bgra", "bgra"}}, {}, 90, {"bgra"}},
      {"rawvideo",
       {},
       "rawvideo",
       {"wrapped_avframe"},
       yuv,
       {},
       {},
       {"yuv420p", "yuv422p", "yuv444p", "yuv420p10", "yuv422p10", "yuv444p10"}},
      {"png", {}, "", {}, {{8, "rgb24", "rgb24"}, {16, "rgb48", "rgb48"}}, {}, {}, {}},
      {"jpeg", {}, "", {}, {{8, "yuvj420p", "yuvj420p"}}, {}, 95, {}},
      {"tiff", {}, "", {}, {{8, "rgb24", "rgb24"}, {16, "rgb48", "rgb48"}}, {}, {}, {}},
  };
  return table;
}

const Format* find_format(std::string_view name) {
  if (const Format* format = format_of_extension(std::string(1, '.').append(name))) return format;
  for (const Format& format : formats())
    if (format.name == name) return &format;
  return nullptr;
}

const Format* format_of_extension(std::string_view extension) {
  for (const Format& format : formats())
    if (contains(format.extensions, extension)) return &format;
  return nullptr;
}

const Codec* find_codec(std::string_view name) {
  for (const Codec& codec : codecs())
    if (codec.name == name || contains(codec.aliases, name)) return &codec;
  return nullptr;
}

EncoderSettings encoder_settings(std::string_view encoder) {
  for (const EncoderSettings& settings : all_settings())
    if (settings.name == encoder) return settings;
  return {encoder, "", {}};
}

std::vector<std::string> format_names() {
  std::vector<std::string> names;
  for (const Format& format : formats()) names.emplace_back(format.name);
  return names;
}

std::vector<std::string> codec_names() {
  std::vector<std::string> names;
  for (const Codec& codec : codecs()) {
    if (codec.name == "rawvideo") continue;  // only ever what y4m holds
    names.emplace_back(codec.name);
  }
  return names;
}

}  // namespace svd::media
