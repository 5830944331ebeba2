#include "media/library_versions.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavfilter/avfilter.h>
#include <libavformat/avformat.h>
}

#include <opencv2/core/utility.hpp>

namespace svd::media {
namespace {

std::string dotted(unsigned number) {
  return std::to_string(AV_VERSION_MAJOR(number)) + "." + std::to_string(AV_VERSION_MINOR(number)) +
         "." + std::to_string(AV_VERSION_MICRO(number));
}

}  // namespace

std::vector<std::pair<std::string, std::string>> library_versions() {
  return {{"libavcodec", dotted(avcodec_version())},
          {"libavformat", dotted(avformat_version())},
          {"libavfilter", dotted(avfilter_version())},
          {"OpenCV", cv::getVersionString()}};
}

}  // namespace svd::media
