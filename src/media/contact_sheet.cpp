#include "media/contact_sheet.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <string>
#include <utility>

#include "media/companion_file.h"
#include "media/formats.h"
#include "media/output_name.h"
#include "media/picture_encoder.h"
#include "svd/error.h"

namespace svd::media {
namespace {

constexpr int kWidest = 256;

/// The grid that is closest to a square in numbers: as many columns as rows, or one more.
class Grid {
 public:
  Grid(int width, int height, int frames)
      : columns_(static_cast<int>(std::ceil(std::sqrt(frames)))),
        cell_(std::min(width, kWidest), std::max(1, height * std::min(width, kWidest) / width)) {
    const int rows = (frames + columns_ - 1) / columns_;
    sheet_ = cv::Mat::zeros(rows * cell_.height, columns_ * cell_.width, CV_8UC3);
  }

  void add(const cv::Mat& frame) {
    const cv::Point corner(filled_ % columns_ * cell_.width, filled_ / columns_ * cell_.height);
    cv::Mat cell = sheet_(cv::Rect(corner, cell_));
    cv::resize(frame, cell, cell_, 0, 0, cv::INTER_AREA);
    ++filled_;
  }

  const cv::Mat& sheet() const { return sheet_; }

 private:
  int columns_;
  cv::Size cell_;
  cv::Mat sheet_;
  int filled_ = 0;
};

class ContactSheetSink : public FrameSink {
 public:
  ContactSheetSink(std::unique_ptr<FrameSink> next, const OutputOptions& options)
      : next_(std::move(next)),
        options_(options),
        format_(format_of_name(*options.contact_sheet)->name),
        file_(*options.contact_sheet, options.overwrite),
        grid_(options.width, options.height, options.frames) {}

  int bit_depth() const override { return next_->bit_depth(); }

  void write(std::span<const std::uint8_t> rgb) override {
    next_->write(rgb);
    // OpenCV takes no const pixels; this Mat is only read.
    const cv::Mat view(options_.height, options_.width, bit_depth() > 8 ? CV_16UC3 : CV_8UC3,
                       const_cast<std::uint8_t*>(rgb.data()));
    cv::Mat narrow = view;
    if (bit_depth() > 8) view.convertTo(narrow, CV_8UC3, 1.0 / 257);
    grid_.add(narrow);
  }

  void finish() override {
    const cv::Mat& sheet = grid_.sheet();
    const std::size_t bytes = sheet.total() * sheet.elemSize();
    file_.write(encode_picture({sheet.data, bytes}, sheet.cols, sheet.rows, 8, format_,
                               find_codec(format_)->quality));
    file_.publish_before([&] { next_->finish(); });
  }

 private:
  std::unique_ptr<FrameSink> next_;
  OutputOptions options_;
  std::string format_;
  CompanionFile file_;
  Grid grid_;
};

}  // namespace

void check_contact_sheet_name(const std::filesystem::path& path) {
  const Format* format = format_of_name(path);
  if (path.has_filename() && format != nullptr &&
      (format->name == "png" || format->name == "jpeg")) {
    return;
  }
  throw Error(ErrorKind::usage, "contact sheet " + path.string() + ": neither .png nor .jpg");
}

std::unique_ptr<FrameSink> open_contact_sheet(std::unique_ptr<FrameSink> next,
                                              const OutputOptions& options) {
  return std::make_unique<ContactSheetSink>(std::move(next), options);
}

}  // namespace svd::media
