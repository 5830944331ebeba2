#include "pipeline/decode.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>
#include <vector>

#include "nn/parts.h"

namespace svd::pipeline {
namespace {

// Repeats the first latent channel as grey and remembers the chunks it was given.
class RecordingDecoder : public networks::VideoDecoder {
 public:
  Tensor decode(const Tensor& latents, std::int64_t frames, const nn::BeforeUnit&) const override {
    chunks.push_back(frames);
    EXPECT_EQ(latents.size(0), frames);
    return latents.narrow(1, 0, 1).expand({-1, 3, -1, -1});
  }
  mutable std::vector<std::int64_t> chunks;
};

class RecordingSink : public FrameSink {
 public:
  void write(std::span<const std::uint8_t> rgb) override {
    frames.emplace_back(rgb.begin(), rgb.end());
  }
  void finish() override { finished = true; }
  std::vector<std::vector<std::uint8_t>> frames;
  int bit_depth() const override { return depth; }
  bool finished = false;
  int depth = 8;
};

TEST(Quantise, cuts_or_rounds_and_clamps) {
  const Tensor pixels =
      at::tensor({-2.0, -1.0, 0.0, 0.999, 1.0, 3.0}).view({1, 1, 1, 6}).expand({1, 3, 1, 6});
  const Tensor cut = quantise(pixels, false);
  const Tensor rounded = quantise(pixels, true);
  ASSERT_EQ(cut.sizes(), (std::vector<std::int64_t>{1, 1, 6, 3}));
  const int expected_cut[] = {0, 0, 127, 254, 255, 255};
  const int expected_rounded[] = {0, 0, 128, 255, 255, 255};  // 127.5 rounds to even
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(cut[0][0][i][1].item<int>(), expected_cut[i]) << i;
    EXPECT_EQ(rounded[0][0][i][1].item<int>(), expected_rounded[i]) << i;
  }
}

TEST(Quantise, rounds_to_sixteen_bits_whatever_the_profile) {
  const Tensor pixels =
      at::tensor({-2.0, -1.0, 0.0, 0.5, 1.0, 3.0}).view({1, 1, 1, 6}).expand({1, 3, 1, 6});
  for (const bool round : {false, true}) {
    const Tensor levels = quantise(pixels, round, 16);
    ASSERT_EQ(levels.scalar_type(), at::kUInt16);
    ASSERT_EQ(levels.sizes(), (std::vector<std::int64_t>{1, 1, 6, 3}));
    const int expected[] = {0, 0, 32768, 49151, 65535, 65535};  // 49151.25; 32767.5 to even
    for (int i = 0; i < 6; ++i) EXPECT_EQ(levels[0][0][i][1].item<int>(), expected[i]) << i;
  }
}

TEST(DecodeToSink, gives_a_sink_as_many_bits_as_it_takes) {
  const Tensor latents = at::tensor({0.5}).view({1, 1, 1, 1}).expand({2, 4, 1, 1});
  RecordingDecoder decoder;
  RecordingSink sink;
  sink.depth = 16;
  decode_to_sink(
      decoder, latents, {.scaling_factor = 1.0, .chunk = 2}, sink, [](int) {},
      [](const nn::Module&) {});
  ASSERT_EQ(sink.frames.size(), 2u);
  ASSERT_EQ(sink.frames[1].size(), 6u) << "two bytes a channel";
  std::uint16_t level = 0;
  std::memcpy(&level, sink.frames[1].data(), 2);
  EXPECT_EQ(level, 49151);
}

TEST(DecodeToSink, splits_into_the_requested_chunks_in_order) {
  const Tensor latents = (at::arange(7, at::kFloat) / 10).view({7, 1, 1, 1}).expand({7, 4, 2, 2});
  RecordingDecoder decoder;
  RecordingSink sink;
  std::vector<int> progress;
  decode_to_sink(
      decoder, latents, {.scaling_factor = 1.0, .chunk = 3}, sink,
      [&](int done) { progress.push_back(done); }, [](const nn::Module&) {});
  EXPECT_EQ(decoder.chunks, (std::vector<std::int64_t>{3, 3, 1}));
  EXPECT_EQ(progress, (std::vector<int>{1, 2, 3, 4, 5, 6, 7}));
  ASSERT_EQ(sink.frames.size(), 7u);
  for (std::size_t i = 1; i < 7; ++i) EXPECT_GT(sink.frames[i][0], sink.frames[i - 1][0]);
  EXPECT_FALSE(sink.finished) << "finishing is the caller's";
}

TEST(DecodeToSink, divides_by_the_scaling_factor) {
  const Tensor latents = at::tensor({0.1}).view({1, 1, 1, 1}).expand({1, 4, 1, 1});
  RecordingDecoder decoder;
  RecordingSink sink;
  decode_to_sink(
      decoder, latents, {.scaling_factor = 0.2, .chunk = 1}, sink, [](int) {},
      [](const nn::Module&) {});
  EXPECT_EQ(sink.frames[0][0], 191);  // (0.1 / 0.2 + 1) / 2 * 255 = 191.25
}

// Runs out of memory until parts are as small as `enough`.
class HungryDecoder : public RecordingDecoder {
 public:
  explicit HungryDecoder(std::int64_t enough) : enough_(enough) {}
  Tensor decode(const Tensor& latents, std::int64_t frames,
                const nn::BeforeUnit& before) const override {
    ++attempts;
    if (nn::part_limits().part_bytes > enough_) throw std::bad_alloc();
    return RecordingDecoder::decode(latents, frames, before);
  }
  mutable int attempts = 0;

 private:
  std::int64_t enough_;
};

TEST(DecodeToSink, computes_a_chunk_again_in_smaller_parts_when_memory_runs_out) {
  nn::part_limits() = {};
  const Tensor latents = at::tensor({0.1}).view({1, 1, 1, 1}).expand({3, 4, 1, 1});
  HungryDecoder decoder(nn::PartLimits{}.part_bytes / 10);
  RecordingSink sink;
  decode_to_sink(
      decoder, latents, {.chunk = 2}, sink, [](int) {}, [](const nn::Module&) {});
  EXPECT_EQ(sink.frames.size(), 3u);
  EXPECT_EQ(decoder.attempts, 4) << "two in vain, then both chunks";

  nn::part_limits() = {};
  HungryDecoder insatiable(0);
  EXPECT_THROW(decode_to_sink(
                   insatiable, latents, {.chunk = 2}, sink, [](int) {}, [](const nn::Module&) {}),
               std::bad_alloc);
  EXPECT_GT(insatiable.attempts, 3);
  nn::part_limits() = {};
}

TEST(DecodeToSink, stops_before_a_chunk_that_is_broken_and_goes_on_from_there) {
  const Tensor values = at::tensor({0.5, 0.5, 0.5, std::nan(""), 0.5});
  const Tensor latents = values.view({5, 1, 1, 1}).expand({5, 4, 1, 1});
  RecordingDecoder decoder;
  RecordingSink sink;
  DecodeOptions options{.chunk = 2};
  const auto decode = [&](const Tensor& from) {
    return decode_to_sink(
        decoder, from, options, sink, [](int) {}, [](const nn::Module&) {});
  };
  const Decoded decoded = decode(latents);
  EXPECT_EQ(decoded.frames, 2);
  EXPECT_STREQ(decoded.flaw, "holds values that are no numbers");
  EXPECT_EQ(sink.frames.size(), 2u) << "nothing of the broken chunk";
  options.first = decoded.frames;
  EXPECT_EQ(decode(latents.nan_to_num(0.5)).flaw, nullptr);
  EXPECT_EQ(sink.frames.size(), 5u);
}

TEST(DecodeToSink, takes_black_for_broken_where_it_cannot_be) {
  const Tensor latents = at::tensor({-9.0}).view({1, 1, 1, 1}).expand({2, 4, 1, 1});
  RecordingDecoder decoder;
  for (const int depth : {8, 16}) {
    RecordingSink sink;
    sink.depth = depth;
    DecodeOptions options{.chunk = 2, .may_be_black = false};
    const auto decode = [&] {
      return decode_to_sink(
          decoder, latents, options, sink, [](int) {}, [](const nn::Module&) {});
    };
    EXPECT_STREQ(decode().flaw, "is all black");
    EXPECT_TRUE(sink.frames.empty());
    options.may_be_black = true;
    EXPECT_EQ(decode().flaw, nullptr);
    EXPECT_EQ(sink.frames.size(), 2u);
  }
}

TEST(Guard, knows_dark_pictures) {
  Image image{10, 10, std::vector<std::uint8_t>(300, 0)};
  EXPECT_TRUE(is_nearly_black(image));
  std::fill(image.rgb.begin(), image.rgb.end(), std::uint8_t{3});
  EXPECT_TRUE(is_nearly_black(image));
  std::fill(image.rgb.begin(), image.rgb.begin() + 60, std::uint8_t{200});
  EXPECT_FALSE(is_nearly_black(image));
}

}  // namespace
}  // namespace svd::pipeline
