#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace svd::media {

enum class ImageFormat { png, jpeg, webp, tiff, bmp, pnm, gif };

const char* to_string(ImageFormat format);

/// What can be known about a picture before it is decoded.
struct ImageHeader {
  ImageFormat format = ImageFormat::png;
  std::int64_t width = 0;  ///< as stored, before `orientation`
  std::int64_t height = 0;
  int orientation = 1;    ///< EXIF: how rows and columns lie, 1 (upright) to 8
  bool animated = false;  ///< WebP with frames of their own
  /// PNG without an alpha channel: the one colour that is transparent, at 8 or 16 bits as it will
  /// be decoded.
  std::optional<std::array<std::uint16_t, 3>> transparent_colour;
};

/// Throws Error{image} unless the file that starts with `bytes` is one of those that are read: it
/// is empty, of no known format, or of a known one that is not read (the hint converts it). `name`
/// is used in messages.
void check_known(std::span<const std::uint8_t> bytes, const std::string& name);

/// Format and size of a picture that may be cut off further on. Throws Error{image}: as
/// check_known, or cut off within the header.
ImageHeader read_header(std::span<const std::uint8_t> bytes, const std::string& name);

/// Throws Error{image} if the file ends before its (first) picture does, as far as the container
/// tells.
void check_complete(std::span<const std::uint8_t> bytes, const ImageHeader& header,
                    const std::string& name);

}  // namespace svd::media
