#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "svd/frame_sink.h"

namespace svd::pipeline {

/// Hands frames on to another sink from a thread of its own, so that encoding runs beside decoding.
/// What the sink throws comes out of the next `write` or of `finish`.
class BackgroundSink : public FrameSink {
 public:
  /// `capacity`: frames that may wait; with more, `write` waits. `sink` must outlive this.
  BackgroundSink(FrameSink& sink, std::size_t capacity);
  /// Frames that wait are dropped.
  ~BackgroundSink() override;

  int bit_depth() const override { return sink_.bit_depth(); }
  void write(std::span<const std::uint8_t> rgb) override;
  /// Waits for all frames, then finishes the sink on the calling thread.
  void finish() override;

 private:
  using Frame = std::vector<std::uint8_t>;
  void run();
  void rethrow_if_failed();
  void join();

  FrameSink& sink_;
  const std::size_t capacity_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Frame> waiting_;
  bool closed_ = false;  ///< no more frames come
  std::exception_ptr failure_;
  std::thread thread_;
};

}  // namespace svd::pipeline
