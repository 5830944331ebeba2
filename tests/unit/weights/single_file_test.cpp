#include <algorithm>

#include "checkpoint_fixture.h"

namespace svd::weights {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(CheckpointTest, LeftoversMayBeAbsent) {
  NamedTensors tensors = model_.single_file();
  std::erase_if(tensors, [](const auto& item) {
    return item.first.starts_with("conditioner.embedders.3.encoder.decoder.") ||
           item.first.find("logit_scale") != std::string::npos;
  });
  tensors["denoiser.sigmas"] = at::zeros({3});
  tensors["conditioner.embedders.0.open_clip.mean"] = at::zeros({3});
  expect_same_weights(Checkpoint::open(write_single("svd.safetensors", tensors)), model_);
}

TEST_F(CheckpointTest, FileNameOrSidecarTellTheVariant) {
  const NamedTensors tensors = model_.single_file();
  const auto open = [&](const std::string& name,
                        const std::string& sidecar = R"({"num_head_channels": 32})") {
    return Checkpoint::open(write_single(name, tensors, sidecar));
  };
  const auto frames = [](const Checkpoint& checkpoint) {
    return checkpoint.config().defaults.frames;
  };
  EXPECT_EQ(frames(open("svd.safetensors")), 14);
  EXPECT_EQ(frames(open("SVD_image_decoder.safetensors")), 14);
  EXPECT_EQ(frames(open("svd_xt.safetensors")), 25);
  EXPECT_EQ(open("svd_xt.safetensors").variant(), "svd-xt");
  EXPECT_EQ(open("stable-video-XT_1_1.safetensors").variant(), "svd-xt-1.1");
  EXPECT_THAT(open("svd_xt.safetensors").notices(), IsEmpty());

  const Checkpoint unknown = open("model.safetensors");
  EXPECT_EQ(frames(unknown), 25);
  EXPECT_THAT(unknown.notices(),
              ElementsAre(AllOf(HasSubstr("assuming svd-xt"), HasSubstr("model.json"))));
  const Checkpoint told = open("told.safetensors", R"({"num_head_channels": 32, "frames": 14})");
  EXPECT_EQ(frames(told), 14);
  EXPECT_EQ(told.variant(), "svd");
  EXPECT_THAT(told.notices(), IsEmpty());
}

TEST_F(CheckpointTest, SidecarGivesHeadSizes) {
  const NamedTensors tensors = model_.single_file();
  const auto error = [&](const std::string& sidecar) {
    const fs::path path = write_single("svd.safetensors", tensors, sidecar);
    if (sidecar.empty()) fs::remove(folder_ / "svd.json");
    return open_error(path);
  };
  EXPECT_THAT(error(""),
              AllOf(HasSubstr("32 channels cannot be divided into attention heads of 64"),
                    HasSubstr("svd.json"), HasSubstr("num_head_channels")));
  EXPECT_THAT(error(R"({"num_head_channels": 32, "clip_head_channels": 48})"),
              HasSubstr("clip_head_channels"));
  EXPECT_THAT(error(R"({"num_heads_channels": 32})"), HasSubstr("num_head_channels"));
  EXPECT_THAT(error(R"({"num_head_channels": 0})"), HasSubstr("'num_head_channels' is 0"));
  EXPECT_THAT(error("{"), HasSubstr("not valid JSON"));
  const Checkpoint checkpoint = Checkpoint::open(write_single(
      "svd.safetensors", tensors, R"({"num_head_channels": 16, "clip_head_channels": 32})"));
  EXPECT_THAT(checkpoint.config().unet.num_attention_heads, ElementsAre(2, 4));
  EXPECT_EQ(checkpoint.config().clip.num_attention_heads, 2);
}

TEST_F(CheckpointTest, OtherModelsAreRefusedByName) {
  const NamedTensors tensors = model_.single_file();
  const auto with = [&](const std::string& name, std::vector<std::int64_t> shape) {
    NamedTensors changed = tensors;
    changed[name] = at::zeros(shape);
    return open_error(write_single("svd.safetensors", changed));
  };
  const auto only = [&](const std::string& name) {
    return open_error(write_single("svd.safetensors", {{name, at::zeros({32, 4, 3, 3})}}));
  };
  EXPECT_THAT(with("model.diffusion_model.label_emb.0.0.weight", {128, 256}), HasSubstr("SV3D_u"));
  EXPECT_THAT(with("model.diffusion_model.label_emb.0.0.weight", {128, 1280}), HasSubstr("SV3D_p"));
  EXPECT_THAT(with("conditioner.embedders.1.encoder.encoder.conv_in.weight", {1}),
              HasSubstr("SV3D"));
  EXPECT_THAT(with("model.diffusion_model.input_blocks.0.0.weight", {32, 9, 3, 3}),
              HasSubstr("interpolation"));
  EXPECT_THAT(with("model.diffusion_model.input_blocks.0.0.weight", {32, 12, 3, 3}),
              HasSubstr("takes 12 channels"));
  EXPECT_THAT(with("model.diffusion_model.input_blocks.1.1.time_mix_blocks.0.norm1.weight", {1}),
              HasSubstr("SV4D"));
  EXPECT_THAT(with("model.diffusion_model.flow_blocks.0.weight", {1}), HasSubstr("DragNUWA"));
  EXPECT_THAT(only("model.diffusion_model.input_blocks.0.0.weight"),
              HasSubstr("without temporal layers"));
  EXPECT_THAT(only("cond_stage_model.model.ln_final.bias"),
              HasSubstr("Stable Diffusion checkpoint"));
  EXPECT_THAT(only("conditioner.embedders.1.model.ln_final.bias"),
              HasSubstr("Stable Diffusion XL"));
  EXPECT_THAT(only("unet.mid_block.attentions.0.to_q.lora.down.weight"), HasSubstr("LoRA"));
  EXPECT_THAT(only("down_blocks.0.resnets.0.spatial_res_block.conv1.weight"), HasSubstr("unet/"));
  EXPECT_THAT(only("something"), HasSubstr("no Stable Video Diffusion model"));
}

TEST_F(CheckpointTest, HostileShapesOfASingleFileAreErrors) {
  // Every tensor that a configuration number is read from, with a rank and sizes that nobody
  // expects.
  const NamedTensors tensors = model_.single_file();
  const std::vector<std::string> names = {
      "model.diffusion_model.input_blocks.0.0.weight",
      "model.diffusion_model.input_blocks.1.0.in_layers.2.weight",
      "model.diffusion_model.out.2.weight",
      "model.diffusion_model.label_emb.0.0.weight",
      "model.diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_k.weight",
      "conditioner.embedders.3.encoder.encoder.conv_in.weight",
      "conditioner.embedders.3.encoder.encoder.down.0.block.0.conv1.weight",
      "first_stage_model.decoder.conv_in.weight",
      "first_stage_model.decoder.conv_out.weight",
      "conditioner.embedders.0.open_clip.model.visual.conv1.weight",
      "conditioner.embedders.0.open_clip.model.visual.proj",
      "conditioner.embedders.0.open_clip.model.visual.positional_embedding",
      "conditioner.embedders.0.open_clip.model.visual.transformer.resblocks.0.mlp.c_fc.weight"};
  for (const std::string& name : names) {
    ASSERT_TRUE(tensors.contains(name)) << name;
    std::vector<std::int64_t> empty = tensors.at(name).sizes().vec();
    std::fill(empty.begin(), empty.end(), 0);
    for (const auto& shape : {std::vector<std::int64_t>{7}, empty}) {
      NamedTensors changed = tensors;
      changed[name] = at::zeros(shape);
      EXPECT_THAT(open_error(write_single("svd.safetensors", changed)), testing::Not("no error"))
          << name;
    }
    NamedTensors changed = tensors;
    changed.erase(name);
    EXPECT_THAT(open_error(write_single("svd.safetensors", changed)), testing::Not("no error"))
        << name;
  }
}

}  // namespace
}  // namespace svd::weights
