// LoRA files: the layouts in use, and what they do to the weights that a checkpoint gives.

#include "weights/lora.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "svd/error.h"
#include "weights/checkpoint.h"
#include "weights/safetensors.h"

namespace svd::weights {
namespace {

namespace fs = std::filesystem;
using at::Tensor;
using testing::HasSubstr;

const std::string kModel = std::string(SVD_TEST_DATA) + "/golden/model";
const std::string kSingle =
    std::string(SVD_TEST_DATA) + "/golden/model_single/svd_tiny.safetensors";
// One layer of the temporal attention, [32, 32], and its output projection.
const std::string kBlock = "mid_block.attentions.0.temporal_transformer_blocks.0.attn1.";

class LoraTest : public testing::Test {
 protected:
  LoraTest() {
    folder_ = fs::temp_directory_path() / ("svd-lora-" + std::to_string(getpid()));
    fs::create_directories(folder_ / "loras");
  }
  ~LoraTest() override { fs::remove_all(folder_); }

  fs::path write(const std::vector<std::pair<std::string, Tensor>>& tensors,
                 const std::string& name = "x.safetensors") {
    save_safetensors(folder_ / name, tensors);
    return folder_ / name;
  }

  static Tensor weight(const Checkpoint& checkpoint, const std::string& layer) {
    return checkpoint.read(Part::unet, kBlock + layer + ".weight", at::kFloat).clone();
  }

  std::string refusal(const fs::path& path) {
    try {
      Checkpoint checkpoint = Checkpoint::open(kModel);
      checkpoint.add_lora(Lora::open(path, 1));
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::model);
      return error.what();
    }
    return "";
  }

  fs::path folder_;
  at::Generator generator_ = at::detail::createCPUGenerator(3);
  Tensor down_ = at::randn({4, 64}, generator_), up_ = at::randn({64, 4}, generator_);
};

TEST_F(LoraTest, every_layout_means_the_same) {
  const std::string layer = "unet." + kBlock;
  const std::vector<std::vector<std::pair<std::string, Tensor>>> files = {
      {{layer + "to_q.lora.down.weight", down_},
       {layer + "to_q.lora.up.weight", up_},
       {layer + "to_out.0.lora.down.weight", down_},
       {layer + "to_out.0.lora.up.weight", up_}},
      {{layer + "to_q.lora_A.weight", down_},
       {layer + "to_q.lora_B.weight", up_},
       {layer + "to_out.0.lora_A.weight", down_},
       {layer + "to_out.0.lora_B.weight", up_}},
      {{"base_model.model." + kBlock + "to_q.lora_A.weight", down_},
       {"base_model.model." + kBlock + "to_q.lora_B.weight", up_},
       {"base_model.model." + kBlock + "to_out.0.lora_A.default.weight", down_},
       {"base_model.model." + kBlock + "to_out.0.lora_B.default.weight", up_}},
      {{kBlock + "processor.to_q_lora.down.weight", down_},
       {kBlock + "processor.to_q_lora.up.weight", up_},
       {kBlock + "processor.to_out_lora.down.weight", down_},
       {kBlock + "processor.to_out_lora.up.weight", up_}}};
  const Checkpoint plain = Checkpoint::open(kModel);
  for (const std::string& model : {kModel, kSingle}) {
    for (std::size_t i = 0; i < files.size(); ++i) {
      SCOPED_TRACE(model + " " + std::to_string(i));
      Checkpoint checkpoint = Checkpoint::open(model);
      checkpoint.add_lora(Lora::open(write(files[i]), 0.5));
      for (const char* changed : {"to_q", "to_out.0"})
        EXPECT_TRUE(
            weight(checkpoint, changed)
                .allclose(weight(plain, changed) + at::matmul(up_, down_) * 0.5, 1e-5, 1e-6));
      EXPECT_TRUE(weight(checkpoint, "to_k").equal(weight(plain, "to_k")));
    }
  }
}

TEST_F(LoraTest, alpha_scales_and_several_add_up) {
  const auto path = write({{"unet." + kBlock + "to_v.lora.down.weight", down_},
                           {"unet." + kBlock + "to_v.lora.up.weight", up_},
                           {"unet." + kBlock + "to_v.alpha", at::full({}, 8.0).to(at::kFloat)}});
  Checkpoint checkpoint = Checkpoint::open(kModel);
  const std::string id = checkpoint.id();
  const Tensor before = weight(checkpoint, "to_v");
  checkpoint.add_lora(Lora::open(path, 1));
  EXPECT_TRUE(weight(checkpoint, "to_v").allclose(before + at::matmul(up_, down_) * 2, 1e-5, 1e-6));
  const std::string changed = checkpoint.id();
  EXPECT_NE(changed, id);
  checkpoint.add_lora(Lora::open(path, -0.25));
  EXPECT_TRUE(
      weight(checkpoint, "to_v").allclose(before + at::matmul(up_, down_) * 1.5, 1e-5, 1e-6));
  EXPECT_NE(checkpoint.id(), changed);
}

// peft 0.21.2: LoraConfig(r=4, lora_alpha=2) has a scaling of 0.5, with use_rslora of 1;
// alpha_pattern gives a layer its own alpha, by the end of its name.
TEST_F(LoraTest, alpha_is_what_the_adapters_configuration_says) {
  const auto change = [&](const fs::path& path, const char* layer) {
    Checkpoint checkpoint = Checkpoint::open(kModel);
    const Tensor before = weight(checkpoint, layer);
    checkpoint.add_lora(Lora::open(path, 1));
    const Tensor scale = (weight(checkpoint, layer) - before) / at::matmul(up_, down_);
    return scale.median().item<double>();
  };
  const auto write_config = [&](const std::string& text) {
    std::ofstream(folder_ / "adapter_config.json") << text;
  };
  const std::string prefix = "base_model.model." + kBlock;
  const auto pefts = [&] {
    return write({{prefix + "to_q.lora_A.weight", down_},
                  {prefix + "to_q.lora_B.weight", up_},
                  {prefix + "to_out.0.lora_A.weight", down_},
                  {prefix + "to_out.0.lora_B.weight", up_}},
                 "adapter_model.safetensors");
  };
  EXPECT_NEAR(change(pefts(), "to_q"), 1, 1e-3);
  write_config(
      R"({"r": 4, "lora_alpha": 2, "alpha_pattern": {"attn1.to_out.0": 12, "o_q": 8, "0": 9}})");
  EXPECT_NEAR(change(pefts(), "to_q"), 0.5, 1e-3);
  EXPECT_NEAR(change(pefts(), "to_out.0"), 3, 1e-3);
  write_config(R"({"r": 4, "lora_alpha": 2, "use_rslora": true})");
  EXPECT_NEAR(change(pefts(), "to_q"), 1, 1e-3);
  write_config(R"({"r": 4, "lora_alpha": 6, "use_rslora": true})");
  EXPECT_NEAR(change(pefts(), "to_q"), 3, 1e-3);
  for (const char* text : {R"({"lora_alpha": 2, "use_dora": true})", R"({"lora_alpha": "2"})", "{",
                           R"({"lora_alpha": 2, "alpha_pattern": {".*to_q": 4}})"}) {
    write_config(text);
    EXPECT_THAT(refusal(pefts()), HasSubstr("adapter_config.json")) << text;
  }
  // Beside a file that peft did not write it means nothing; diffusers has it in the header.
  const std::string layer = "unet." + kBlock;
  const std::vector<std::pair<std::string, Tensor>> tensors = {
      {layer + "to_q.lora_A.weight", down_}, {layer + "to_q.lora_B.weight", up_}};
  EXPECT_NEAR(change(write(tensors), "to_q"), 1, 1e-3);
  for (const char* text : {R"({"unet.r": 4, "unet.lora_alpha": 2})", R"({"lora_alpha": 2})"}) {
    save_safetensors(folder_ / "x.safetensors", tensors, {{"lora_adapter_metadata", text}});
    EXPECT_NEAR(change(folder_ / "x.safetensors", "to_q"), 0.5, 1e-3) << text;
  }
}

TEST_F(LoraTest, what_is_none_or_for_another_model_is_refused) {
  EXPECT_THAT(refusal(write({{"conv_in.weight", down_}})), HasSubstr("no part of a LoRA"));
  EXPECT_THAT(refusal(write({{kBlock + "to_q.lora.down.weight", down_}})), HasSubstr("only one"));
  EXPECT_THAT(refusal(write({{kBlock + "to_q.lora.down.weight", down_},
                             {kBlock + "to_q.lora.up.weight", up_.narrow(1, 0, 3)}})),
              HasSubstr("ranks 4 and 3"));
  EXPECT_THAT(refusal(write({{"nowhere.to_q.lora.down.weight", down_},
                             {"nowhere.to_q.lora.up.weight", up_}})),
              HasSubstr("is not there"));
  EXPECT_THAT(refusal(write({{kBlock + "to_q.lora.down.weight", down_.narrow(1, 0, 32)},
                             {kBlock + "to_q.lora.up.weight", up_}})),
              HasSubstr("another shape"));
  const Tensor damaged = up_.clone();
  damaged[3][2] = std::nan("");
  EXPECT_THAT(refusal(write({{kBlock + "to_q.lora.down.weight", down_},
                             {kBlock + "to_q.lora.up.weight", damaged}})),
              HasSubstr("to_q.lora.up.weight' holds what is no number"));
}

TEST(LoraChoiceTest, names_and_strengths) {
  EXPECT_EQ(parse_lora("zoom").name, "zoom");
  EXPECT_EQ(parse_lora("zoom").strength, 1);
  EXPECT_EQ(parse_lora("a/b.safetensors:-0.5").name, "a/b.safetensors");
  EXPECT_EQ(parse_lora("a/b.safetensors:-0.5").strength, -0.5);
  for (const char* text : {"", ":1", "zoom:", "zoom:x", "zoom:nan", "zoom:1e9", "zoom:1x"})
    EXPECT_THROW(parse_lora(text), Error) << text;
}

TEST_F(LoraTest, names_are_found_beside_the_model) {
  std::ofstream(folder_ / "loras/zoom.safetensors") << "x";
  EXPECT_EQ(find_lora("zoom", folder_, {}), folder_ / "loras/zoom.safetensors");
  EXPECT_EQ(find_lora("zoom", "/nowhere", folder_), folder_ / "loras/zoom.safetensors");
  try {
    find_lora("pan", folder_, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::model);
    EXPECT_THAT(error.hint(), HasSubstr("zoom"));
  }
}

}  // namespace
}  // namespace svd::weights
