// Whole renders of the goldens' small model, from the picture file to 8-bit frames, against both
// published implementations (tests/golden/make_goldens.py).

#include <ATen/TensorOperators.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "media/fit.h"
#include "media/image_reader.h"
#include "networks/clip/clip_vision_model.h"
#include "pipeline/conditioning.h"
#include "pipeline/networks.h"
#include "svd/generator.h"
#include "weights/safetensors.h"

namespace svd {
namespace {

using at::Tensor;

std::string golden(const std::string& name) {
  return std::string(SVD_TEST_DATA) + "/golden/" + name;
}

Tensor read_tensor(const std::string& path, const std::string& name) {
  const auto file = weights::SafetensorsFile::open(path);
  const weights::TensorInfo* info = file->find(name);
  if (info == nullptr) throw std::runtime_error("no tensor " + name + " in " + path);
  return file->tensor(*info).clone();
}

class CollectingSink : public FrameSink {
 public:
  void write(std::span<const std::uint8_t> rgb) override {
    bytes_.insert(bytes_.end(), rgb.begin(), rgb.end());
    ++frames_;
  }
  void finish() override { finished = true; }

  Tensor frames(int height, int width) {
    return at::from_blob(bytes_.data(), {frames_, height, width, 3}, at::kByte);
  }
  bool finished = false;

 private:
  std::vector<std::uint8_t> bytes_;
  int frames_ = 0;
};

ModelOptions model_named(const std::string& path) {
  ModelOptions options;
  options.model = path;
  return options;
}

RequestOptions options_of(const nlohmann::json& test) {
  RequestOptions options;
  options.frames = test.at("frames").get<int>();
  options.steps = test.at("steps").get<int>();
  options.seed = test.at("seed").get<std::uint64_t>();
  options.condition_fps = test.at("condition_fps").get<double>();
  options.motion_bucket_id = test.at("motion_bucket_id").get<double>();
  options.noise_aug_strength = test.at("noise_aug_strength").get<double>();
  options.min_guidance = test.at("min_guidance").get<double>();
  options.max_guidance = test.at("max_guidance").get<double>();
  options.decode_chunk = test.at("decode_chunk").get<int>();
  const std::string size = test.at("size").get<std::string>();
  options.width = std::stoi(size);
  options.height = std::stoi(size.substr(size.find('x') + 1));
  options.fit = Fit::stretch;
  options.dtype = Dtype::float32;
  options.device = "cpu";
  return options;
}

std::string model_of(const nlohmann::json& test, Profile profile) {
  // The diffusers implementation of these goldens read the folder, Stability's the single file.
  const bool image_decoder = test.at("model") == "image_decoder";
  if (image_decoder) return golden("model_single/svd_tiny_image_decoder.safetensors");
  return golden(profile == Profile::diffusers ? "model" : "model_single/svd_tiny.safetensors");
}

void expect_same_video(const nlohmann::json& test, Profile profile, const char* suffix) {
  const std::string name = test.at("name").get<std::string>();
  SCOPED_TRACE(name + suffix);
  const std::string latents_path = testing::TempDir() + "/golden_" + name + suffix + ".safetensors";
  RequestOptions options = options_of(test);
  options.profile = profile;
  options.save_latents = latents_path;

  Generator generator(model_named(model_of(test, profile)));
  const Image picture = media::read_image(golden("data/" + test.at("image").get<std::string>()));
  const Request request = generator.resolve(options, picture.width, picture.height);
  const InputImages images = media::fit_image(picture, request.width, request.height, request.fit);
  CollectingSink sink;
  Observer observer;
  generator.run(request, images, sink, observer);
  EXPECT_TRUE(sink.finished);

  const std::string data = golden("data/e2e/" + name + ".safetensors");
  const Tensor expected = read_tensor(data, std::string("latents") + suffix);
  const Tensor actual = read_tensor(latents_path, "latents");
  ASSERT_EQ(actual.sizes(), expected.sizes());
  EXPECT_LT((actual - expected).abs().max().item<double>(), 1e-3 * expected.std().item<double>());

  const Tensor expected_frames = read_tensor(data, std::string("frames") + suffix).to(at::kInt);
  const Tensor actual_frames = sink.frames(request.height, request.width).to(at::kInt);
  ASSERT_EQ(actual_frames.sizes(), expected_frames.sizes());
  EXPECT_LE((actual_frames - expected_frames).abs().max().item<int>(), 1);
}

TEST(GoldenVideo, both_profiles_match_the_implementation_they_are_named_after) {
  std::ifstream file(golden("data/e2e/cases.json"));
  const nlohmann::json cases = nlohmann::json::parse(file);
  ASSERT_GE(cases.size(), 4u);
  for (const nlohmann::json& test : cases) {
    expect_same_video(test, Profile::reference, "_reference");
    expect_same_video(test, Profile::diffusers, "_diffusers");
  }
}

TEST(GoldenVideo, a_seed_gives_the_same_bits_twice_and_another_seed_others) {
  const Image picture = media::read_image(golden("data/images/scene_128x64.png"));
  Generator generator(model_named(golden("model")));
  const auto render = [&](std::uint64_t seed) {
    RequestOptions options;
    options.width = options.height = 64;
    options.frames = options.steps = 2;
    options.seed = seed;
    options.device = "cpu";
    options.dtype = Dtype::float32;
    const Request request = generator.resolve(options, picture.width, picture.height);
    CollectingSink sink;
    Observer observer;
    generator.run(request, media::fit_image(picture, 64, 64, request.fit), sink, observer);
    return sink.frames(64, 64).clone();
  };
  const Tensor first = render(7);
  EXPECT_TRUE(first.equal(render(7)));
  EXPECT_FALSE(first.equal(render(8)));
}

TEST(GoldenClip, sees_the_whole_picture_as_published) {
  const c10::InferenceMode no_gradients;
  const auto checkpoint = weights::Checkpoint::open(golden("model"));
  const ClipVisionConfig& config = checkpoint.config().clip;
  networks::ClipVisionModelWithProjection clip(config);
  pipeline::NetworkWeights weights(clip,
                                   {checkpoint, weights::Part::image_encoder, at::kFloat, at::kCPU},
                                   pipeline::NetworkWeights::kStreamAll, [] {});
  weights.load();
  const std::string data = golden("data/clip.safetensors");
  for (const std::string name : {"scene_128x64", "odd_37x53", "wide_640x360"}) {
    const Image picture = media::read_image(golden("data/images/" + name + ".png"));
    const Tensor pixels = pipeline::clip_pixels(picture, config);
    const Tensor embeds = clip.forward(pixels, weights.for_forward());
    for (const std::string suffix : {"_diffusers", "_reference"}) {
      SCOPED_TRACE(name + suffix);
      const Tensor step8 = read_tensor(data, name + "_pixels_step8" + suffix);
      const Tensor row = read_tensor(data, name + "_pixels_last_row" + suffix);
      const Tensor column = read_tensor(data, name + "_pixels_last_column" + suffix);
      const Tensor thinned =
          pixels[0].slice(1, 0, config.image_size, 8).slice(2, 0, config.image_size, 8);
      EXPECT_LT((thinned - step8).abs().max().item<double>(), 2e-5);
      EXPECT_LT((pixels[0].select(1, -1) - row).abs().max().item<double>(), 2e-5);
      EXPECT_LT((pixels[0].select(2, -1) - column).abs().max().item<double>(), 2e-5);
      const Tensor expected = read_tensor(data, name + "_embeds" + suffix);
      EXPECT_LT((embeds - expected).abs().max().item<double>(), 1e-4);
    }
  }
}

}  // namespace
}  // namespace svd
