// What happens when a number format is too small for a model: weights of the demonstration model
// are changed until values overflow.

#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "generator_fixture.h"
#include "svd/error.h"
#include "weights/safetensors.h"

namespace svd {
namespace {

using test::Frames;
using testing::HasSubstr;

class RetryObserver : public Observer {
 public:
  void on_retry(Stage stage, Dtype from) override { retries.push_back({stage, from}); }
  std::vector<Retry> retries;
};

class RetryTest : public testing::Test {
 protected:
  RetryTest()
      : folder_(testing::TempDir() + "/retry_" +
                testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::filesystem::remove_all(folder_);
    std::filesystem::copy(SVD_TEST_DATA "/models/tiny-svd", folder_,
                          std::filesystem::copy_options::recursive);
  }
  ~RetryTest() override { std::filesystem::remove_all(folder_); }

  struct Change {
    double factor = 1, offset = 0;
  };

  /// Changes tensors of a file, which is stored as float32 from then on.
  void change(const std::string& file, const std::map<std::string, Change>& changes) {
    const std::filesystem::path path = folder_ / file;
    std::vector<std::pair<std::string, at::Tensor>> tensors;
    {
      const auto stored = weights::SafetensorsFile::open(path);
      for (const weights::TensorInfo& info : stored->tensors()) {
        at::Tensor tensor = stored->tensor(info).to(at::kFloat).clone();
        const auto found = changes.find(info.name);
        if (found != changes.end()) tensor = tensor * found->second.factor + found->second.offset;
        tensors.emplace_back(info.name, tensor);
      }
    }
    weights::save_safetensors(path, tensors);
  }

  /// Renders in float16, then in float32, and expects the same frames after one retry.
  void expect_retry(Stage stage, Request request = half()) {
    Generator generator = test::tiny_generator(folder_.string());
    generator.set_keep_networks(true);
    const InputImages images = test::picture(request);
    for (int i = 0; i < 2; ++i) {
      test::CollectingSink sink;
      RetryObserver observer;
      const Result result = generator.run(request, images, sink, observer);
      EXPECT_TRUE(sink.finished);
      EXPECT_EQ(int(sink.frames.size()), request.frames);
      ASSERT_EQ(observer.retries.size(), 1u) << i;
      ASSERT_EQ(result.retries.size(), 1u) << i;
      EXPECT_EQ(result.retries[0].stage, stage);
      EXPECT_EQ(result.retries[0].from, Dtype::float16);
      EXPECT_EQ(observer.retries[0].stage, stage);
      EXPECT_EQ(result.frames_written, request.frames);
      EXPECT_EQ(result.stages.size(), 6u) << "every stage once";
      frames_ = sink.frames;
    }
  }

  std::string failure(const Request& request) {
    Generator generator = test::tiny_generator(folder_.string());
    test::CollectingSink sink;
    Observer observer;
    try {
      generator.run(request, test::picture(request), sink, observer);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::internal) << error.what();
      EXPECT_NE(error.hint(), "");
      EXPECT_FALSE(sink.finished);
      return error.what();
    }
    return "no error";
  }

  static Request half() {
    Request request = test::tiny_request();
    request.dtype = Dtype::float16;
    return request;
  }

  static constexpr const char* kUNet = "unet/diffusion_pytorch_model.safetensors";
  static constexpr const char* kVae = "vae/diffusion_pytorch_model.safetensors";
  static constexpr const char* kClip = "image_encoder/model.safetensors";
  std::filesystem::path folder_;
  Frames frames_;
};

TEST_F(RetryTest, SamplesAgainInFloat32) {
  // Products of 1e5, which a group norm brings back.
  change(kUNet, {{"conv_in.weight", {1e6}}});
  expect_retry(Stage::sample);
  Request full = half();
  full.dtype = Dtype::float32;
  Generator generator = test::tiny_generator(folder_.string());
  Result result;
  EXPECT_EQ(test::render(generator, full, test::picture(full), &result), frames_);
  EXPECT_TRUE(result.retries.empty());
}

TEST_F(RetryTest, EmbedsAgainInFloat32) {
  change(kClip, {{"vision_model.embeddings.patch_embedding.weight", {1e7}}});
  expect_retry(Stage::condition);
}

TEST_F(RetryTest, DecodesTheRestAgainInFloat32) {
  change(kVae, {{"decoder.conv_in.weight", {1e7}}});
  Request request = half();
  request.dtype = Dtype::float32;
  request.vae_dtype = Dtype::float16;
  expect_retry(Stage::decode, request);
}

TEST_F(RetryTest, GivesUpWhereFloat32DoesNotHelp) {
  change(kUNet, {{"conv_out.bias", {std::nan("")}}});
  EXPECT_THAT(failure(half()), HasSubstr("the sampled clip holds values that are no numbers"));
  EXPECT_THAT(failure(test::tiny_request()), HasSubstr("the sampled clip"));
  change(kVae, {{"quant_conv.bias", {std::nan("")}}});
  EXPECT_THAT(failure(half()), HasSubstr("the encoded image"));
  change(kClip, {{"visual_projection.weight", {std::nan("")}}});
  EXPECT_THAT(failure(half()), HasSubstr("the image embedding"));
}

TEST_F(RetryTest, NeverWritesABlackClipOfAPictureThatIsNotBlack) {
  change(kVae, {{"decoder.time_conv_out.weight", {0}}, {"decoder.time_conv_out.bias", {0}}});
  Request request = test::tiny_request();
  Generator grey = test::tiny_generator(folder_.string());
  EXPECT_EQ(test::render(grey, request)[0][0], 127) << "no values, but not black";
  change(kVae, {{"decoder.time_conv_out.bias", {0, -5}}});
  EXPECT_THAT(failure(request), HasSubstr("the decoded clip is all black"));
  request.vae_dtype = Dtype::bfloat16;
  EXPECT_THAT(failure(request), HasSubstr("the decoded clip is all black"));
  // Of a black picture it may be right.
  InputImages black = test::picture(request);
  std::fill(black.fitted.rgb.begin(), black.fitted.rgb.end(), std::uint8_t{0});
  Generator generator = test::tiny_generator(folder_.string());
  EXPECT_EQ(test::render(generator, request, black).size(), 3u);
}

}  // namespace
}  // namespace svd
