#include "media/bounce.h"

#include <utility>
#include <vector>

namespace svd::media {
namespace {

class BounceSink : public FrameSink {
 public:
  explicit BounceSink(std::unique_ptr<FrameSink> next) : next_(std::move(next)) {}

  int bit_depth() const override { return next_->bit_depth(); }

  void write(std::span<const std::uint8_t> rgb) override {
    next_->write(rgb);
    frames_.emplace_back(rgb.begin(), rgb.end());
  }

  void finish() override {
    for (std::size_t i = frames_.size(); i-- > 2;) next_->write(frames_[i - 1]);
    next_->finish();
  }

 private:
  std::unique_ptr<FrameSink> next_;
  std::vector<std::vector<std::uint8_t>> frames_;
};

}  // namespace

std::unique_ptr<FrameSink> open_bounce(std::unique_ptr<FrameSink> next) {
  return std::make_unique<BounceSink>(std::move(next));
}

}  // namespace svd::media
