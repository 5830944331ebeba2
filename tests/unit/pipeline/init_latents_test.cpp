#include <ATen/TensorOperators.h>
#include <ATen/ops/randn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/resolve.h"
#include "svd/error.h"
#include "weights/safetensors.h"

namespace svd::pipeline {
namespace {

using testing::HasSubstr;

at::Tensor read(const at::Tensor& latents) {
  const std::string path = testing::TempDir() + "/init_latents.safetensors";
  weights::save_safetensors(path, {{"latents", latents}});
  Request request;
  request.frames = 2;
  request.width = request.height = 64;
  return read_init_latents(path, request, ModelConfig{});
}

TEST(InitLatents, AreNoiseOfUnitVariance) {
  const at::Tensor noise = at::randn({2, 4, 8, 8});
  EXPECT_TRUE(read(noise)[0].equal(noise));
  read(noise * 0.6);
  read(noise * 1.7);
  for (const double scale : {0.0, 0.18215, 2.5, 700.0}) {
    try {
      read(noise * scale);
      ADD_FAILURE() << scale << " was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage);
      EXPECT_THAT(error.what(), HasSubstr("unit variance"));
    }
  }
}

}  // namespace
}  // namespace svd::pipeline
