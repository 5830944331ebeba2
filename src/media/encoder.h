#pragma once

#include <memory>

#include "media/libav.h"
#include "media/resolve_encoding.h"

/// Opening libav's encoders. Private to src/media.
namespace svd::media {

/// What a file says about its colours: BT.709 in limited range, RGB formats sRGB.
struct ColourTags {
  AVColorPrimaries primaries;
  AVColorTransferCharacteristic transfer;
  AVColorSpace space;
  AVColorRange range;
  AVChromaLocation chroma_location;
};

ColourTags colour_tags(AVPixelFormat format);

/// Closes an encoder, also one that was given no or not all frames.
struct EncoderRelease {
  void operator()(AVCodecContext* encoder) const;
};
using Encoder = std::unique_ptr<AVCodecContext, EncoderRelease>;

/// The open encoder of `encoding`; null if it does not take these options or this size. It runs in
/// one thread and writes no version, so that its bytes depend on nothing else.
Encoder open_encoder(const Encoding& encoding, int width, int height);

}  // namespace svd::media
