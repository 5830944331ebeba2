#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace svd::media {

/// Pixel formats (FFmpeg's names) for a number of bits a channel.
struct PixelChoice {
  int bit_depth;
  std::string_view usual;
  std::string_view odd;  ///< where a side is odd and `usual` needs even ones
};

struct CrfRange {
  int lowest, highest, usual;
};

struct Codec {
  std::string_view name;
  std::vector<std::string_view> aliases;
  std::string_view libav_name;             ///< of the codec's descriptor; empty: not libav's work
  std::vector<std::string_view> encoders;  ///< in software, the best first
  std::vector<PixelChoice> pixels;         ///< the first is taken unless a depth is asked for
  std::optional<CrfRange> crf;
  std::optional<int> quality;  ///< the usual one, for codecs with a quality from 1 to 100
  /// What may be asked for by name; empty: all that the encoder takes.
  std::vector<std::string_view> pixel_formats;
};

using LibavOptions = std::vector<std::pair<std::string_view, std::string_view>>;

/// Options of an encoder of libav.
struct EncoderSettings {
  std::string_view name;
  std::string_view crf_option;  ///< empty: it has none
  LibavOptions options;
};

enum class Container { file, pictures };

struct Format {
  std::string_view name;
  std::vector<std::string_view> extensions;
  std::vector<std::string_view> codecs;  ///< the first is the default
  Container container = Container::file;
  bool keeps_metadata = false;    ///< otherwise a sidecar takes it
  std::string_view muxer = {};    ///< libav's name; pictures have none
  std::string_view demuxer = {};  ///< empty: libav has none
  std::string_view hevc_tag = {};
  double most_fps = 1000;  ///< frames a second whose times the file can tell and players keep
  LibavOptions file_options = {};    ///< of the muxer, for a file
  LibavOptions stream_options = {};  ///< for standard output
};

const std::vector<Format>& formats();
const std::vector<Codec>& codecs();

/// By name ("jpg" and "tif" are names too), null if there is none.
const Format* find_format(std::string_view name);
/// By an extension with its dot, in small letters.
const Format* format_of_extension(std::string_view extension);
/// By name or alias.
const Codec* find_codec(std::string_view name);
/// Settings of an encoder, without any for one that the table does not know.
EncoderSettings encoder_settings(std::string_view encoder);

/// Every name of a format or codec, for suggestions.
std::vector<std::string> format_names();
std::vector<std::string> codec_names();

}  // namespace svd::media
