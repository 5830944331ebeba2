#include "pipeline/preview.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "generator_fixture.h"

namespace svd {
namespace {

// 16 x 8 cells whose colours are a linear function of their latents, as a picture of 32 x 16.
Image picture_of(const at::Tensor& latents) {
  Image image{32, 16, {}};
  for (int y = 0; y < 16; ++y) {
    for (int x = 0; x < 32; ++x) {
      for (int c = 0; c < 3; ++c) {
        const auto at = [&](int channel) { return latents[0][channel][y / 2][x / 2]; };
        const double value = (0.6 * at(c) + 0.3 * at(3)).item<double>();
        image.rgb.push_back(static_cast<std::uint8_t>(20 + 200 * value));
      }
    }
  }
  return image;
}

TEST(LatentPreview, FindsTheColoursOfCells) {
  const at::Tensor known = at::rand({1, 4, 8, 16}), other = at::rand({1, 4, 8, 16});
  const pipeline::LatentPreview preview(known, picture_of(known));
  const Image expected = picture_of(other);
  const std::vector<Image> frames = preview.frames(at::cat({known, other}));
  ASSERT_EQ(frames.size(), 2u);
  ASSERT_EQ(frames[1].width, 16);
  ASSERT_EQ(frames[1].height, 8);
  ASSERT_EQ(frames[1].rgb.size(), 16u * 8 * 3);
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 16; ++x) {
      const std::size_t small = 3 * std::size_t(y * 16 + x),
                        large = 3 * std::size_t(y * 64 + 2 * x);
      EXPECT_LE(std::abs(frames[1].rgb[small] - expected.rgb[large]), 2) << x << " " << y;
    }
  }
}

TEST(LatentPreview, TakesAPlainPicture) {
  Image plain{16, 16, std::vector<std::uint8_t>(16 * 16 * 3, 90)};
  const at::Tensor latents = at::zeros({1, 4, 8, 8}) + 0.3;
  const Image frame = pipeline::LatentPreview(latents, plain).frames(latents)[0];
  EXPECT_EQ(frame.rgb, std::vector<std::uint8_t>(8 * 8 * 3, 90));
}

class Previewed : public Observer {
 public:
  explicit Previewed(bool wanted) : wanted_(wanted) {}
  bool wants_preview() const override { return wanted_; }
  void on_preview(int step, const std::vector<Image>& frames) override {
    steps.push_back(step);
    last = frames;
  }
  std::vector<int> steps;
  std::vector<Image> last;

 private:
  bool wanted_;
};

TEST(Preview, ComesAfterEveryStepToWhoWantsIt) {
  Generator generator = test::tiny_generator();
  const Request request = test::tiny_request();
  test::CollectingSink with, without;
  Previewed wanting(true), other(false);
  generator.run(request, test::picture(request), with, wanting);
  generator.run(request, test::picture(request), without, other);
  EXPECT_EQ(wanting.steps, (std::vector<int>{1, 2}));
  EXPECT_TRUE(other.steps.empty());
  EXPECT_EQ(with.frames, without.frames);
  ASSERT_EQ(wanting.last.size(), 3u);
  EXPECT_EQ(wanting.last[0].width, 8);
  EXPECT_EQ(wanting.last[0].height, 8);
}

}  // namespace
}  // namespace svd
