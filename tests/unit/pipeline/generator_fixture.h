#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "svd/generator.h"

/// Renders of the demonstration model.
namespace svd::test {

using Frames = std::vector<std::vector<std::uint8_t>>;

class CollectingSink : public FrameSink {
 public:
  explicit CollectingSink(int depth = 8) : depth_(depth) {}
  int bit_depth() const override { return depth_; }
  void write(std::span<const std::uint8_t> rgb) override {
    frames.emplace_back(rgb.begin(), rgb.end());
  }
  void finish() override { finished = true; }

  Frames frames;
  bool finished = false;

 private:
  int depth_;
};

/// Asks for a stop when a stage begins.
class StoppingObserver : public Observer {
 public:
  explicit StoppingObserver(Stage stage) : stage_(stage) {}
  void on_stage_begin(Stage stage, int) override {
    if (stage == stage_) source_.request_stop();
  }
  std::stop_token token() const { return source_.get_token(); }

 private:
  Stage stage_;
  std::stop_source source_;
};

inline Generator tiny_generator(const std::string& path = SVD_TEST_DATA "/models/tiny-svd") {
  ModelOptions options;
  options.model = path;
  return Generator(options);
}

inline Request tiny_request() {
  Request request;
  request.frames = 3;
  request.steps = 2;
  request.seed = 7;
  request.width = request.height = 64;
  request.decode_chunk = 2;
  request.threads = 1;
  return request;
}

/// A colour ramp; `shade` is its blue.
inline InputImages picture(const Request& request, int shade = 160) {
  const auto ramp = [shade](int width, int height) {
    Image image{width, height, {}};
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        for (const int value : {x * 255 / width, y * 255 / height, shade})
          image.rgb.push_back(static_cast<std::uint8_t>(value));
      }
    }
    return image;
  };
  return {ramp(96, 80), ramp(request.width, request.height)};
}

inline Frames render(Generator& generator, const Request& request, const InputImages& images,
                     Result* result = nullptr) {
  CollectingSink sink;
  Observer observer;
  const Result done = generator.run(request, images, sink, observer);
  if (result != nullptr) *result = done;
  return sink.frames;
}

inline Frames render(Generator& generator, const Request& request) {
  return render(generator, request, picture(request));
}

}  // namespace svd::test
