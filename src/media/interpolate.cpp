#include "media/interpolate.h"

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "media/filter_graph.h"
#include "media/scaler.h"

namespace svd::media {
namespace {

constexpr AVPixelFormat kFormat = AV_PIX_FMT_YUVJ444P;  // the finest one that minterpolate takes

/// Note: [Frames in between]
/// minterpolate looks at two frames on either side and gives nothing for the last pair. So the
/// first and the last frame are sent twice, and what lies between equal frames is dropped. With
/// `times` = 3:
///
///     sent       f0      f0      f1      f2      f2
///     pts        0       1       2       3       4
///     taken              0  1  2 3  4  5 6
class InterpolationSink : public FrameSink {
 public:
  InterpolationSink(std::unique_ptr<FrameSink> next, const OutputOptions& options, int times)
      : next_(std::move(next)),
        times_(times),
        total_((options.frames - 1) * times + 1),
        graph_("minterpolate=mi_mode=mci:fps=" + std::to_string(times), kFormat, options.width,
               options.height, {1, 1}, kFormat, options.path.string()),
        writer_(options.width, options.height, next_->bit_depth(), kFormat, options.path.string()),
        reader_(kFormat, options.width, options.height, next_->bit_depth(), options.path.string()),
        frame_(new_frame(kFormat, options.width, options.height, options.path.string())) {}

  int bit_depth() const override { return next_->bit_depth(); }

  void write(std::span<const std::uint8_t> rgb) override {
    arrived_.emplace_back(rgb.begin(), rgb.end());
    writer_.convert(rgb, frame_.get());
    if (sent_ == 0) send(frame_.get());
    send(frame_.get());
  }

  void finish() override {
    if (sent_ > 0) send(frame_.get());
    graph_.send(nullptr);
    drain();
    while (given_ < total_ && !last_.empty()) give(last_);
    next_->finish();
  }

 private:
  void send(AVFrame* frame) {
    frame->pts = sent_++;
    graph_.send(frame);
    drain();
  }

  void drain() {
    while (const libav::Frame frame = graph_.receive()) {
      const std::int64_t place =
          av_rescale_q(frame->pts, graph_.output_time_base(), {1, times_}) - times_;
      // A frame that is missing is given as the one before it.
      while (given_ < place && given_ < total_ && !last_.empty()) give(last_);
      if (place == given_ && given_ < total_) give(reader_.read(*frame));
    }
  }

  /// Passes on the next frame: one that arrived if it is its turn, else `between`.
  void give(std::vector<std::uint8_t> between) {
    if (given_ % times_ == 0 && !arrived_.empty()) {
      between = std::move(arrived_.front());
      arrived_.pop_front();
    }
    next_->write(between);
    last_ = std::move(between);
    ++given_;
  }

  std::unique_ptr<FrameSink> next_;
  int times_;
  int total_;
  FilterGraph graph_;
  RgbScaler writer_;
  RgbReader reader_;
  libav::Frame frame_;
  std::deque<std::vector<std::uint8_t>> arrived_;  ///< not yet given
  std::vector<std::uint8_t> last_;                 ///< given last
  int sent_ = 0;
  int given_ = 0;
};

}  // namespace

std::unique_ptr<FrameSink> open_interpolation(std::unique_ptr<FrameSink> next,
                                              const OutputOptions& options, int times) {
  return std::make_unique<InterpolationSink>(std::move(next), options, times);
}

}  // namespace svd::media
