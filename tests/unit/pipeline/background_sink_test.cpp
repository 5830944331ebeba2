#include "pipeline/background_sink.h"

#include <gtest/gtest.h>

#include <future>
#include <vector>

#include "svd/error.h"

namespace svd::pipeline {
namespace {

using Frame = std::vector<std::uint8_t>;

/// Waits at its first frame until it is let go; fails at frame `bad`.
class SlowSink : public FrameSink {
 public:
  void write(std::span<const std::uint8_t> rgb) override {
    if (frames.empty()) gate.get_future().wait();
    if (int(frames.size()) == bad) throw Error(ErrorKind::output, "the disk is full");
    frames.emplace_back(rgb.begin(), rgb.end());
  }
  void finish() override { finished = true; }

  std::promise<void> gate;
  std::vector<Frame> frames;
  int bad = -1;
  bool finished = false;
};

TEST(BackgroundSink, WritesBesideTheCallerInOrder) {
  SlowSink slow;
  BackgroundSink sink(slow, 3);
  for (std::uint8_t i = 0; i < 3; ++i) sink.write(Frame{i, 7});  // returns although none is written
  slow.gate.set_value();
  for (std::uint8_t i = 3; i < 40; ++i) sink.write(Frame{i, 7});
  sink.finish();
  EXPECT_TRUE(slow.finished);
  ASSERT_EQ(slow.frames.size(), 40u);
  for (std::uint8_t i = 0; i < 40; ++i) EXPECT_EQ(slow.frames[i], (Frame{i, 7}));
}

TEST(BackgroundSink, TakesWhatTheSinkBehindItTakes) {
  class DeepSink : public SlowSink {
   public:
    int bit_depth() const override { return 16; }
  } deep;
  EXPECT_EQ(BackgroundSink(deep, 1).bit_depth(), 16);
  SlowSink plain;
  EXPECT_EQ(BackgroundSink(plain, 1).bit_depth(), 8);
}

TEST(BackgroundSink, BringsFailuresToTheCaller) {
  SlowSink failing;
  failing.bad = 1;
  failing.gate.set_value();
  BackgroundSink sink(failing, 2);
  const auto write_many = [&] {
    for (int i = 0; i < 100; ++i) sink.write(Frame{1});
  };
  EXPECT_THROW(write_many(), Error);
  EXPECT_THROW(sink.finish(), Error);
  EXPECT_FALSE(failing.finished);
}

TEST(BackgroundSink, DropsWhatWaitsWhenItIsGivenUp) {
  SlowSink slow;
  {
    BackgroundSink sink(slow, 5);
    for (int i = 0; i < 5; ++i) sink.write(Frame{1});
    slow.gate.set_value();
  }
  EXPECT_LT(slow.frames.size(), 6u);
  EXPECT_FALSE(slow.finished);
}

}  // namespace
}  // namespace svd::pipeline
