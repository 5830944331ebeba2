#include "media/resolve_encoding.h"

#include <algorithm>

#include "base/suggest.h"
#include "media/encoder.h"
#include "media/formats.h"
#include "media/frame_rate.h"
#include "svd/error.h"

extern "C" {
#include <libavutil/pixdesc.h>
}

namespace svd::media {
namespace {

constexpr int kMostInterpolated = 16;

[[noreturn]] void refuse(const std::string& message, const std::string& hint = {}) {
  throw Error(ErrorKind::usage, message, hint);
}

template <typename Names>
std::string joined(const Names& names) {
  std::string text;
  for (const auto& name : names) {
    if (!text.empty()) text += ", ";
    text += name;
  }
  return text;
}

/// Whether FFmpeg's name of an encoder says that it runs on special hardware.
bool is_hardware(std::string_view encoder) {
  const std::vector<std::string_view> families = {
      "_nvenc", "_qsv", "_vaapi", "_amf", "_videotoolbox", "_v4l2m2m", "_omx", "_mf", "_vulkan"};
  return std::any_of(families.begin(), families.end(),
                     [&](std::string_view family) { return encoder.ends_with(family); });
}

/// The codec that an encoder's name is of; null if it is none that is known here.
const Codec* codec_of_encoder(const std::string& name) {
  if (const AVCodec* encoder = avcodec_find_encoder_by_name(name.c_str())) {
    const std::string_view codec_name = avcodec_get_name(encoder->id);
    for (const Codec& codec : codecs())
      if (codec.libav_name == codec_name) return &codec;
    return nullptr;
  }
  // A build of FFmpeg without it still knows which codec was meant.
  return is_hardware(name) ? find_codec(name.substr(0, name.find('_'))) : nullptr;
}

struct CodecChoice {
  const Codec* codec;
  std::string encoder;  ///< asked for by name; empty: any
};

CodecChoice choose_codec(const Format& format, const EncodingOptions& options) {
  if (!options.codec) return {find_codec(format.codecs.front()), ""};
  const std::string& name = *options.codec;
  CodecChoice choice{find_codec(name), ""};
  if (choice.codec == nullptr) choice = {codec_of_encoder(name), name};
  if (choice.codec == nullptr) {
    const std::string suggestion = did_you_mean(name, codec_names());
    refuse("unknown codec " + name,
           suggestion.empty() ? "codecs are " + joined(codec_names()) : suggestion);
  }
  const auto& held = format.codecs;
  if (std::find(held.begin(), held.end(), choice.codec->name) == held.end()) {
    refuse(std::string(format.name) + " does not hold " + std::string(choice.codec->name),
           std::string(format.name) + " holds " + joined(held));
  }
  return choice;
}

std::vector<std::string> names_of_formats(const Codec& codec, const AVCodec* encoder) {
  std::vector<std::string> names;
  for (const std::string_view name : codec.pixel_formats) names.emplace_back(name);
  if (!names.empty() || encoder == nullptr || encoder->pix_fmts == nullptr) return names;
  for (const AVPixelFormat* format = encoder->pix_fmts; *format != AV_PIX_FMT_NONE; ++format) {
    const AVPixFmtDescriptor* description = av_pix_fmt_desc_get(*format);
    const std::string name = description->name;
    // Full range by name contradicts the tags, and memory of a device is no format.
    if ((description->flags & AV_PIX_FMT_FLAG_HWACCEL) == 0 && !name.starts_with("yuvj"))
      names.push_back(name);
  }
  return names;
}

int depth_of(AVPixelFormat format) { return av_pix_fmt_desc_get(format)->comp[0].depth; }

/// Checks the pixel format that was asked for. Returns FFmpeg's full name of it.
std::string checked_pixel_format(const Codec& codec, const AVCodec* encoder,
                                 const EncodingOptions& options) {
  const std::string& name = *options.pixel_format;
  if (codec.libav_name.empty())
    refuse("a pixel format cannot be chosen for " + std::string(codec.name));
  const std::vector<std::string> possible = names_of_formats(codec, encoder);
  const AVPixelFormat format = av_get_pix_fmt(name.c_str());
  const bool is_possible = std::any_of(possible.begin(), possible.end(), [&](const auto& other) {
    return format != AV_PIX_FMT_NONE && av_get_pix_fmt(other.c_str()) == format;
  });
  if (!is_possible) {
    const std::string suggestion =
        format == AV_PIX_FMT_NONE ? did_you_mean(name, possible) : std::string();
    refuse(std::string(codec.name) + " cannot be written in the pixel format " + name,
           suggestion.empty() ? "possible are " + joined(possible) : suggestion);
  }
  if (options.bit_depth && depth_of(format) != *options.bit_depth) {
    refuse("the pixel format " + name + " has " + std::to_string(depth_of(format)) +
           " bits a channel, not " + std::to_string(*options.bit_depth));
  }
  return av_get_pix_fmt_name(format);
}

const PixelChoice& choose_depth(const Codec& codec, const std::optional<int>& depth) {
  if (!depth) return codec.pixels.front();
  std::vector<std::string> depths;
  for (const PixelChoice& choice : codec.pixels) {
    if (choice.bit_depth == *depth) return choice;
    depths.push_back(std::to_string(choice.bit_depth));
  }
  refuse(std::string(codec.name) + " has no " + std::to_string(*depth) + " bits a channel",
         "it has " + joined(depths));
}

void choose_quality(const Format& format, const Codec& codec, const EncodingOptions& options,
                    Encoding& encoding) {
  if (options.crf && !codec.crf)
    refuse(std::string(codec.name) + " has no crf",
           codec.quality ? "it has a quality from 1 to 100" : "");
  if (options.quality && !codec.quality)
    refuse(std::string(codec.name) + " has no quality",
           codec.crf ? "it has a crf" : "jpeg and webp have one");
  if (codec.crf) {
    encoding.crf = options.crf.value_or(codec.crf->usual);
    if (*encoding.crf < codec.crf->lowest || *encoding.crf > codec.crf->highest)
      refuse("a crf of " + std::to_string(*encoding.crf) + " for " + std::string(codec.name),
             "from " + std::to_string(codec.crf->lowest) + " (best) to " +
                 std::to_string(codec.crf->highest));
  }
  if (codec.quality) {
    encoding.quality = options.quality.value_or(*codec.quality);
    if (*encoding.quality < 1 || *encoding.quality > 100)
      refuse(
          "a quality of " + std::to_string(*encoding.quality) + " for " + std::string(format.name),
          "from 1 to 100 (best)");
  }
}

void choose_rate(const OutputOptions& options, const Format& format, Encoding& encoding) {
  const int times = options.encoding.interpolate;
  if (times < 1 || times > kMostInterpolated)
    refuse("--interpolate " + std::to_string(times) + " is out of range: 1 to " +
               std::to_string(kMostInterpolated) + " is accepted",
           "1 leaves the frames as they are");
  encoding.frames = (options.frames - 1) * times + 1;
  if (options.encoding.loop == Loop::bounce && encoding.frames > 2)
    encoding.frames = 2 * encoding.frames - 2;
  encoding.fps = options.fps * times;
  if (format.container == Container::pictures) return;
  AVRational rate = frame_rate(options.fps);
  av_reduce(&rate.num, &rate.den, std::int64_t{rate.num} * times, rate.den, INT_MAX);
  encoding.rate_num = rate.num;
  encoding.rate_den = rate.den;
  encoding.fps = av_q2d(rate);
  if (encoding.fps > format.most_fps)
    refuse(std::string(format.name) + " holds no more than " +
               std::to_string(static_cast<int>(format.most_fps)) + " frames a second",
           "a smaller --fps or --interpolate, or another format");
}

/// Sets encoder and pixel format to the first pair that opens. Returns whether there is one.
bool find_encoder(const std::vector<std::string>& encoders, const std::vector<std::string>& pixels,
                  const OutputOptions& options, Encoding& encoding) {
  const std::optional<int> crf = encoding.crf;
  for (const std::string& pixel_format : pixels) {
    for (const std::string& encoder : encoders) {
      encoding.encoder = encoder;
      encoding.pixel_format = pixel_format;
      encoding.crf = encoder_settings(encoder).crf_option.empty() ? std::nullopt : crf;
      if (open_encoder(encoding, options.width, options.height)) return true;
    }
  }
  encoding.crf = crf;
  return false;
}

[[noreturn]] void refuse_encoder(const Codec& codec, const std::vector<std::string>& encoders,
                                 const std::vector<std::string>& pixels,
                                 const OutputOptions& options) {
  const bool is_there = std::any_of(encoders.begin(), encoders.end(), [](const std::string& name) {
    return avcodec_find_encoder_by_name(name.c_str()) != nullptr;
  });
  if (!is_there) {
    throw Error(
        ErrorKind::output, "the FFmpeg libraries have no " + std::string(codec.name) + " encoder",
        "install a libavcodec with " + joined(encoders) + ", or write PNG frames: -o frames/");
  }
  refuse(std::string(codec.name) + " cannot be written with " + std::to_string(options.width) +
             "x" + std::to_string(options.height) + " pixels in " + joined(pixels),
         "tried " + joined(encoders) + "; try another size, codec or pixel format");
}

/// The encoder asked for, else the first in software that takes the frames.
void choose_encoder(const CodecChoice& choice, const OutputOptions& options, Encoding& encoding) {
  const Codec& codec = *choice.codec;
  std::vector<std::string> encoders(codec.encoders.begin(), codec.encoders.end());
  if (!choice.encoder.empty() && !is_hardware(choice.encoder)) encoders = {choice.encoder};
  const bool hardware = is_hardware(choice.encoder);
  const std::string& first = hardware ? choice.encoder : encoders.front();
  if (options.encoding.crf && encoder_settings(first).crf_option.empty())
    refuse("the encoder " + first + " has no crf");

  std::vector<std::string> pixels;
  if (options.encoding.pixel_format) {
    pixels = {checked_pixel_format(codec, avcodec_find_encoder_by_name(encoders.back().c_str()),
                                   options.encoding)};
  } else {
    const PixelChoice& depth = choose_depth(codec, options.encoding.bit_depth);
    pixels = {std::string(depth.usual)};
    if (depth.odd != depth.usual) pixels.emplace_back(depth.odd);
  }
  if (!hardware || !find_encoder({choice.encoder}, pixels, options, encoding)) {
    if (!find_encoder(encoders, pixels, options, encoding))
      refuse_encoder(codec, encoders, pixels, options);
    if (hardware) {
      encoding.notices.push_back(choice.encoder + " cannot be used here; encoding with " +
                                 encoding.encoder);
    }
  }
  if (encoding.pixel_format != pixels.front()) {
    encoding.notices.push_back(std::to_string(options.width) + "x" +
                               std::to_string(options.height) +
                               " is not even: " + encoding.pixel_format + " instead of " +
                               pixels.front() + ", which some players lack");
  }
  const AVPixelFormat format = av_get_pix_fmt(encoding.pixel_format.c_str());
  encoding.pixel_format = av_get_pix_fmt_name(format);
  encoding.bit_depth = depth_of(format);
}

}  // namespace

Encoding resolve_encoding(const OutputOptions& options) {
  if (options.width < 1 || options.height < 1 || options.frames < 1)
    throw Error(ErrorKind::internal, "resolve_encoding: a size or a number of frames below 1");
  const Format& format = *find_format(output_format(options.path, options.encoding));
  const CodecChoice choice = choose_codec(format, options.encoding);
  const Codec& codec = *choice.codec;
  Encoding encoding;
  encoding.format = format.name;
  encoding.codec = codec.name;
  choose_quality(format, codec, options.encoding, encoding);
  choose_rate(options, format, encoding);
  if (format.container == Container::file) {
    choose_encoder(choice, options, encoding);
  } else {
    if (options.encoding.pixel_format) checked_pixel_format(codec, nullptr, options.encoding);
    const PixelChoice& pixels = choose_depth(codec, options.encoding.bit_depth);
    encoding.pixel_format = pixels.usual;
    encoding.bit_depth = pixels.bit_depth;
  }
  if (options.encoding.interpolate > 1 && encoding.bit_depth > 8)
    encoding.notices.emplace_back("interpolated frames have 8 bits a channel");
  return encoding;
}

}  // namespace svd::media
