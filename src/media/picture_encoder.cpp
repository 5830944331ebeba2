#include "media/picture_encoder.h"

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "media/formats.h"
#include "svd/error.h"

namespace svd::media {

std::vector<std::uint8_t> encode_picture(std::span<const std::uint8_t> rgb, int width, int height,
                                         int bit_depth, const std::string& format,
                                         std::optional<int> quality) {
  // OpenCV takes no const pixels; this Mat is only read.
  const cv::Mat view(height, width, bit_depth > 8 ? CV_16UC3 : CV_8UC3,
                     const_cast<std::uint8_t*>(rgb.data()));
  const std::string extension(find_format(format)->extensions.front());
  std::vector<int> parameters;
  if (quality) parameters = {cv::IMWRITE_JPEG_QUALITY, *quality};
  cv::Mat bgr;
  std::vector<std::uint8_t> bytes;
  try {
    cv::cvtColor(view, bgr, cv::COLOR_RGB2BGR);
    if (cv::imencode(extension, bgr, bytes, parameters)) return bytes;
  } catch (const cv::Exception& error) {
    throw Error(ErrorKind::output, "cannot encode a " + format + " frame: " + error.what());
  }
  throw Error(ErrorKind::output, "cannot encode a " + format + " frame");
}

}  // namespace svd::media
