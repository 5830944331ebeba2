#include "pipeline/background_sink.h"

#include <algorithm>
#include <utility>

namespace svd::pipeline {

BackgroundSink::BackgroundSink(FrameSink& sink, std::size_t capacity)
    : sink_(sink), capacity_(std::max<std::size_t>(1, capacity)), thread_([this] { run(); }) {}

BackgroundSink::~BackgroundSink() {
  {
    const std::lock_guard lock(mutex_);
    waiting_.clear();
  }
  join();
}

void BackgroundSink::write(std::span<const std::uint8_t> rgb) {
  Frame frame(rgb.begin(), rgb.end());
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_.size() < capacity_ || failure_; });
    rethrow_if_failed();
    waiting_.push_back(std::move(frame));
  }
  changed_.notify_all();
}

void BackgroundSink::finish() {
  join();
  rethrow_if_failed();
  sink_.finish();
}

void BackgroundSink::rethrow_if_failed() {
  if (failure_) std::rethrow_exception(failure_);
}

void BackgroundSink::join() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void BackgroundSink::run() {
  for (;;) {
    Frame frame;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !waiting_.empty() || closed_; });
      if (waiting_.empty()) return;
      frame = std::move(waiting_.front());
      waiting_.pop_front();
    }
    changed_.notify_all();
    try {
      sink_.write(frame);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      failure_ = std::current_exception();
      break;
    }
  }
  changed_.notify_all();
}

}  // namespace svd::pipeline
