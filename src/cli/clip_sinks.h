#pragma once

#include <functional>
#include <memory>

#include "svd/frame_sink.h"

namespace svd::cli {

/// Opens another sink with the first frame: only then it is known what the file has to say about
/// how it was made.
class LateSink : public FrameSink {
 public:
  LateSink(int bit_depth, std::function<std::unique_ptr<FrameSink>()> open)
      : bit_depth_(bit_depth), open_(std::move(open)) {}

  int bit_depth() const override { return bit_depth_; }
  void write(std::span<const std::uint8_t> rgb) override { sink().write(rgb); }
  void finish() override { sink().finish(); }

 private:
  FrameSink& sink() {
    if (!sink_) sink_ = open_();
    return *sink_;
  }

  int bit_depth_;
  std::function<std::unique_ptr<FrameSink>()> open_;
  std::unique_ptr<FrameSink> sink_;
};

}  // namespace svd::cli
