// Latents that a render saves, and decoding them again.

#include "svd/latents.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "generator_fixture.h"
#include "svd/error.h"
#include "weights/safetensors.h"

namespace svd {
namespace {

using testing::HasSubstr;

std::string path_of(const std::string& name) {
  return testing::TempDir() + "/" + testing::UnitTest::GetInstance()->current_test_info()->name() +
         "_" + name;
}

Request saving(const std::string& path) {
  Request request = test::tiny_request();
  request.save_latents = path;
  return request;
}

TEST(Latents, DecodeToTheFramesOfTheirRender) {
  const std::string path = path_of("saved.safetensors");
  Generator generator = test::tiny_generator();
  for (const bool keep : {false, true}) {
    generator.set_keep_networks(keep);
    const Request rendered = saving(path);
    const test::Frames expected = test::render(generator, rendered);
    Request request = test::tiny_request();
    request.frames = 14;  // the file knows better
    request.width = 1024;
    for (int i = 0; i < 2; ++i) {
      test::CollectingSink sink;
      Observer observer;
      const Result result = generator.decode(request, path, sink, observer);
      EXPECT_EQ(sink.frames, expected);
      EXPECT_TRUE(sink.finished);
      EXPECT_EQ(result.frames_written, 3);
      EXPECT_EQ(result.request.frames, 3);
      EXPECT_EQ(result.request.width, 64);
      ASSERT_EQ(result.stages.size(), 2u);
      EXPECT_EQ(result.stages[1].stage, Stage::decode);
      EXPECT_EQ(result.memory.keep_networks, keep);
    }
    EXPECT_EQ(test::render(generator, rendered), expected);
  }
}

TEST(Latents, DecodeAsTheNewRequestSays) {
  const std::string path = path_of("saved.safetensors");
  Generator generator = test::tiny_generator();
  const test::Frames rendered = test::render(generator, saving(path));
  Observer observer;
  const auto decode = [&](Request request, int depth = 8) {
    test::CollectingSink sink(depth);
    generator.decode(request, path, sink, observer);
    return sink.frames;
  };
  Request request = test::tiny_request();
  EXPECT_EQ(decode(request, 16)[0].size(), 2u * 64 * 64 * 3);
  request.profile = Profile::diffusers;
  EXPECT_NE(decode(request), rendered) << "rounded, not cut";
  request = test::tiny_request();
  request.decode_chunk = 3;
  Request whole = test::tiny_request();
  whole.decode_chunk = 3;
  EXPECT_EQ(decode(request), test::render(generator, whole));
}

TEST(Latents, CarryATextAndTheirSize) {
  const std::string path = path_of("saved.safetensors");
  Generator generator = test::tiny_generator();
  Request request = saving(path);
  request.width = 128;
  test::render(generator, request);
  EXPECT_EQ(read_latents_info(path).metadata, "");
  request.latents_metadata = R"({"seed": 7, "über": "\n"})";
  test::render(generator, request);
  const LatentsInfo info = read_latents_info(path);
  EXPECT_EQ(info.frames, 3);
  EXPECT_EQ(info.width, 16);
  EXPECT_EQ(info.height, 8);
  EXPECT_EQ(info.metadata, *request.latents_metadata);
  EXPECT_EQ(to_json(request).find("metadata"), std::string::npos);
}

std::string refusal(const std::string& path) {
  Generator generator = test::tiny_generator();
  test::CollectingSink sink;
  Observer observer;
  try {
    generator.decode(test::tiny_request(), path, sink, observer);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage) << error.what();
    EXPECT_THAT(error.what(), HasSubstr(path));
    return error.what();
  }
  return "accepted";
}

std::string refusal(const std::string& name, const at::Tensor& tensor) {
  const std::string path = path_of("bad.safetensors");
  weights::save_safetensors(path, {{name, tensor}});
  return refusal(path);
}

TEST(Latents, AreRefusedWhereTheModelCannotDecodeThem) {
  EXPECT_THAT(refusal(path_of("missing")), HasSubstr("No such file"));
  std::ofstream(path_of("text")) << "certainly no latents";
  EXPECT_THAT(refusal(path_of("text")), HasSubstr("safetensors"));
  EXPECT_THAT(refusal("other", at::zeros({2, 4, 8, 8})), HasSubstr("no tensor 'latents'"));
  EXPECT_THAT(refusal("latents", at::zeros({2, 3, 8, 8})), HasSubstr("3 channels"));
  EXPECT_THAT(refusal("latents", at::zeros({1, 2, 4, 8, 8})), HasSubstr("[1, 2, 4, 8, 8]"));
  EXPECT_THAT(refusal("latents", at::zeros({0, 4, 8, 8})), HasSubstr("[0, 4, 8, 8]"));
  EXPECT_THAT(refusal("latents", at::zeros({2, 4, 8, 8}, at::kHalf)), HasSubstr("F16"));
  EXPECT_THAT(refusal("latents", at::full({2, 4, 8, 8}, std::nan(""))), HasSubstr("no numbers"));
}

}  // namespace
}  // namespace svd
