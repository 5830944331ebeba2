#include <algorithm>
#include <opencv2/imgcodecs.hpp>
#include <optional>

#include "media/byte_view.h"
#include "media/containers.h"
#include "media/decoders.h"
#include "media/muted_stderr.h"
#include "media/pixels.h"
#include "media/tiff_directory.h"
#include "svd/error.h"

namespace svd::media {
namespace {

/// How OpenCV 4.6 is to be asked, so that it neither turns the picture nor mistakes its channels.
int read_flags(ImageFormat format) {
  switch (format) {
    case ImageFormat::png:
    case ImageFormat::webp:
      return cv::IMREAD_UNCHANGED;  // alpha and 16 bits as they are; no orientation applied
    default:
      // JPEG; BMP, whose fourth byte is not alpha; TIFF, where libtiff composes over black and
      // turns CMYK into RGB.
      return cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION;
  }
}

/// A copy of a TIFF file that says upright: OpenCV turns TIFFs whatever the flags.
std::vector<std::uint8_t> without_orientation(std::span<const std::uint8_t> bytes) {
  std::vector<std::uint8_t> copy(bytes.begin(), bytes.end());
  if (const auto offset = TiffDirectory(ByteView(bytes)).orientation_offset()) copy[*offset] = 1;
  return copy;
}

/// OpenCV as Debian builds it hands a file with these letters to its DICOM decoder, whatever it
/// begins with, and that one believes any length.
void refuse_dicom(std::span<const std::uint8_t> bytes, const std::string& name) {
  constexpr std::uint64_t kPreamble = 128;
  if (ByteView(bytes).has(kPreamble, "DICM"))
    throw Error(ErrorKind::image, name + " would be read as a DICOM file, which is not supported",
                "open it with another program and save it as PNG");
}

cv::Mat decode(std::span<const std::uint8_t> bytes, int flags) {
  // OpenCV takes no const data; this Mat is only read.
  const cv::Mat data(1, static_cast<int>(bytes.size()), CV_8U,
                     const_cast<std::uint8_t*>(bytes.data()));
  const MutedStderr muted;
  try {
    return cv::imdecode(data, flags);
  } catch (const cv::Exception&) {
    return {};
  }
}

Image place_on_canvas(const Image& frame, int left, int top, const ImageHeader& header) {
  Image canvas{static_cast<int>(header.width), static_cast<int>(header.height), {}};
  canvas.rgb.resize(static_cast<std::size_t>(header.width * header.height * 3));
  for (int y = 0; y < frame.height; ++y) {
    std::copy_n(frame.rgb.begin() + std::ptrdiff_t{3} * y * frame.width, 3 * frame.width,
                canvas.rgb.begin() + 3 * (std::ptrdiff_t{top + y} * canvas.width + left));
  }
  return canvas;
}

[[noreturn]] void fail_damaged(const ImageHeader& header, const std::string& name) {
  throw Error(ErrorKind::image,
              name + ": the " + to_string(header.format) + " file is damaged or of a rare kind",
              "open it with another program and save it as PNG");
}

Image to_image(const cv::Mat& mat, const ImageHeader& header, const std::string& name) {
  const bool known = (mat.depth() == CV_8U || mat.depth() == CV_16U) && mat.channels() != 2;
  if (mat.empty() || !known) fail_damaged(header, name);
  const Samples samples{mat.data, mat.step,       mat.cols,
                        mat.rows, mat.channels(), mat.depth() == CV_16U};
  return to_rgb(samples, header.transparent_colour);
}

WebpFrame first_frame(std::span<const std::uint8_t> bytes, const ImageHeader& header,
                      const std::string& name) {
  try {
    return first_webp_frame(bytes);
  } catch (const CutOff&) {
    fail_damaged(header, name);
  }
}

Image decode_first_frame(std::span<const std::uint8_t> bytes, const ImageHeader& header,
                         const std::string& name) {
  const WebpFrame first = first_frame(bytes, header, name);
  // Before decoding: only the canvas was held against the cap on pixels.
  if (first.left + first.width > header.width || first.top + first.height > header.height)
    fail_damaged(header, name);
  refuse_dicom(first.file, name);
  const Image frame = to_image(decode(first.file, read_flags(header.format)), header, name);
  if (frame.width != first.width || frame.height != first.height) fail_damaged(header, name);
  return place_on_canvas(frame, first.left, first.top, header);
}

}  // namespace

Image decode_with_opencv(std::span<const std::uint8_t> bytes, const ImageHeader& header,
                         const std::string& name) {
  if (header.animated) return decode_first_frame(bytes, header, name);
  refuse_dicom(bytes, name);
  std::vector<std::uint8_t> copy;
  if (header.format == ImageFormat::tiff && header.orientation != 1) {
    copy = without_orientation(bytes);
    bytes = copy;
  }
  Image image = to_image(decode(bytes, read_flags(header.format)), header, name);
  if (image.width != header.width || image.height != header.height) fail_damaged(header, name);
  return image;
}

}  // namespace svd::media
