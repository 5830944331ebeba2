#include "weights/checkpoint.h"

#include <fstream>

#include "checkpoint_fixture.h"

namespace svd::weights {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

void expect_tiny_config(const ModelConfig& config, bool temporal) {
  const ModelConfig expected = tiny_config(temporal);
  EXPECT_EQ(config.unet.in_channels, 8);
  EXPECT_EQ(config.unet.out_channels, 4);
  EXPECT_EQ(config.unet.block_out_channels, expected.unet.block_out_channels);
  EXPECT_EQ(config.unet.down_block_types, expected.unet.down_block_types);
  EXPECT_EQ(config.unet.up_block_types, expected.unet.up_block_types);
  EXPECT_EQ(config.unet.layers_per_block, expected.unet.layers_per_block);
  EXPECT_EQ(config.unet.cross_attention_dim, expected.unet.cross_attention_dim);
  EXPECT_EQ(config.unet.transformer_layers_per_block, expected.unet.transformer_layers_per_block);
  EXPECT_EQ(config.unet.num_attention_heads, expected.unet.num_attention_heads);
  EXPECT_EQ(config.unet.addition_time_embed_dim, 32);
  EXPECT_EQ(config.unet.projection_class_embeddings_input_dim, 96);
  EXPECT_EQ(config.vae.temporal_decoder, temporal);
  EXPECT_EQ(config.vae.block_out_channels, expected.vae.block_out_channels);
  EXPECT_EQ(config.vae.layers_per_block, 2);
  EXPECT_EQ(config.vae.latent_channels, 4);
  EXPECT_EQ(config.vae.scaling_factor, 0.18215);
  EXPECT_EQ(config.clip.hidden_size, 64);
  EXPECT_EQ(config.clip.intermediate_size, 96);
  EXPECT_EQ(config.clip.num_hidden_layers, 2);
  EXPECT_EQ(config.clip.num_attention_heads, 1);
  EXPECT_EQ(config.clip.image_size, 32);
  EXPECT_EQ(config.clip.patch_size, 16);
  EXPECT_EQ(config.clip.projection_dim, 32);
  EXPECT_EQ(config.clip.hidden_act, "gelu");
  EXPECT_EQ(config.scheduler.sigma_min, 0.002);
  EXPECT_EQ(config.scheduler.sigma_max, 700.0);
}

TEST_F(CheckpointTest, OpensADiffusersFolder) {
  model_.write_folder(folder_.path());
  const Checkpoint checkpoint = Checkpoint::open(folder_.path());
  EXPECT_EQ(checkpoint.layout(), Layout::diffusers_folder);
  EXPECT_EQ(checkpoint.variant(), "custom");
  EXPECT_THAT(checkpoint.notices(), IsEmpty());
  EXPECT_EQ(checkpoint.config().defaults.frames, 14);
  expect_tiny_config(checkpoint.config(), true);
  expect_same_weights(checkpoint, model_);
}

TEST_F(CheckpointTest, OpensASingleFileOfTheSameWeights) {
  const Checkpoint checkpoint =
      Checkpoint::open(write_single("svd.safetensors", model_.single_file()));
  EXPECT_EQ(checkpoint.layout(), Layout::single_file);
  EXPECT_EQ(checkpoint.variant(), "svd");
  expect_tiny_config(checkpoint.config(), true);
  expect_same_weights(checkpoint, model_);
}

TEST_F(CheckpointTest, OpensTheFrameWiseDecoderInBothLayouts) {
  const TinyModel model(/*temporal=*/false);
  model.write_folder(folder_ / "folder");
  const Checkpoint folder = Checkpoint::open(folder_ / "folder");
  expect_tiny_config(folder.config(), false);
  expect_same_weights(folder, model);
  const Checkpoint single =
      Checkpoint::open(write_single("svd_xt_image_decoder.safetensors", model.single_file()));
  EXPECT_EQ(single.variant(), "svd-xt-image-decoder");
  expect_tiny_config(single.config(), false);
  expect_same_weights(single, model);
}

TEST_F(CheckpointTest, CountsParts) {
  model_.write_folder(folder_ / "folder");
  const auto parts = Checkpoint::open(folder_ / "folder").parts();
  ASSERT_THAT(parts, SizeIs(3));
  EXPECT_EQ(parts[0].name, "unet");
  EXPECT_EQ(parts[0].tensors, 608);
  EXPECT_EQ(parts[0].bytes, 4 * parts[0].parameters);
  EXPECT_EQ(parts[0].dtypes, (std::map<std::string, std::int64_t>{{"F32", 608}}));
  EXPECT_EQ(parts[1].tensors, 228);
  EXPECT_EQ(parts[2].tensors, 40);

  const auto single =
      Checkpoint::open(write_single("svd_xt.safetensors", model_.single_file())).parts();
  ASSERT_THAT(single, SizeIs(4));
  EXPECT_EQ(single[0].name, "model.diffusion_model.");
  EXPECT_EQ(single[0].parameters, parts[0].parameters);
  EXPECT_EQ(single[2].tensors, 156);
}

TEST_F(CheckpointTest, ReadsAndConvertsDtypes) {
  NamedTensors unet = model_.parts.at(Part::unet);
  unet["conv_out.bias"] = at::arange(4, at::kDouble) / 3;
  unet["conv_in.bias"] = at::full({32}, 1.0 / 3, at::kFloat).to(at::kHalf);
  unet["conv_norm_out.weight"] = at::full({32}, 0.4375, at::kFloat).to(at::kFloat8_e4m3fn);
  unet["conv_norm_out.bias"] = at::full({32}, -3.5, at::kFloat).to(at::kBFloat16);
  model_.write_folder(folder_.path());
  save(folder_ / "unet/diffusion_pytorch_model.safetensors", unet);
  const Checkpoint checkpoint = Checkpoint::open(folder_.path());
  EXPECT_THAT(checkpoint.mismatches(Part::unet, model_.expected(Part::unet)), IsEmpty());
  for (const at::ScalarType dtype : {at::kFloat, at::kHalf, at::kBFloat16}) {
    for (const char* name :
         {"conv_out.bias", "conv_in.bias", "conv_norm_out.weight", "conv_norm_out.bias"}) {
      const at::Tensor read = checkpoint.read(Part::unet, name, dtype);
      EXPECT_EQ(read.scalar_type(), dtype);
      EXPECT_TRUE(at::equal(read, unet.at(name).to(at::kFloat).to(dtype))) << name << " " << dtype;
    }
  }
}

/// Bytes of files that are resident in this process.
std::int64_t resident_file_bytes() {
  std::ifstream status("/proc/self/status");
  std::int64_t kilobytes = 0;
  for (std::string word; status >> word;) {
    std::int64_t value = 0;
    if ((word == "RssFile:" || word == "RssShmem:") && status >> value) kilobytes += value;
  }
  return kilobytes * 1024;
}

TEST_F(CheckpointTest, GivesThePagesOfConvertedTensorsBack) {
  constexpr std::int64_t kBytes = std::int64_t{64} << 20;
  model_.write_folder(folder_.path());
  save(folder_ / "unet/diffusion_pytorch_model.safetensors",
       {{"conv_in.weight", at::ones({kBytes / 4}, at::kFloat)}});
  const Checkpoint checkpoint = Checkpoint::open(folder_.path());
  const std::int64_t before = resident_file_bytes();
  const at::Tensor view = checkpoint.read(Part::unet, "conv_in.weight", at::kFloat);
  EXPECT_EQ(view.sum().item<float>(), static_cast<float>(kBytes / 4));
  EXPECT_GT(resident_file_bytes() - before, kBytes / 2) << "the view reads the mapping";
  const at::Tensor half = checkpoint.read(Part::unet, "conv_in.weight", at::kBFloat16);
  EXPECT_LT(resident_file_bytes() - before, kBytes / 4);
  EXPECT_EQ(half[-1].item<float>(), 1.0f);
}

TEST_F(CheckpointTest, TensorsOutliveTheCheckpoint) {
  model_.write_folder(folder_.path());
  at::Tensor view;
  {
    const Checkpoint checkpoint = Checkpoint::open(folder_.path());
    view = checkpoint.read(Part::unet, "conv_in.weight", at::kFloat);
    EXPECT_EQ(view.data_ptr(), checkpoint.read(Part::unet, "conv_in.weight", at::kFloat).data_ptr())
        << "a matching dtype is not copied";
  }
  EXPECT_TRUE(at::equal(view, model_.parts.at(Part::unet).at("conv_in.weight")));
}

TEST_F(CheckpointTest, ReportsEveryMismatchOfAFolder) {
  NamedTensors unet = model_.parts.at(Part::unet);
  unet.erase("conv_in.weight");
  unet.erase("mid_block.resnets.0.time_mixer.mix_factor");
  unet["conv_out.bias"] = at::zeros({5});
  unet["conv_in.bias"] = at::zeros({32}, at::kInt);
  unet["extra"] = at::zeros({1, 2});
  model_.write_folder(folder_.path());
  save(folder_ / "unet/diffusion_pytorch_model.safetensors", unet);
  const Checkpoint checkpoint = Checkpoint::open(folder_.path());
  EXPECT_THAT(checkpoint.mismatches(Part::unet, model_.expected(Part::unet)),
              ElementsAre("missing: unet: conv_in.weight [32, 8, 3, 3]",
                          "missing: unet: mid_block.resnets.0.time_mixer.mix_factor [1]",
                          "unet: conv_in.bias has dtype I32, expected a floating-point one",
                          "unet: conv_out.bias has shape [5], expected [4]",
                          "unexpected: unet: 'extra' [1, 2]"));
  EXPECT_THAT(checkpoint.mismatches(Part::vae, model_.expected(Part::vae)), IsEmpty());
  EXPECT_THAT(model_error([&] { checkpoint.read(Part::unet, "conv_in.weight", at::kFloat); }),
              AllOf(HasSubstr("conv_in.weight"), HasSubstr("not there")));
  EXPECT_THAT(model_error([&] { checkpoint.read(Part::unet, "conv_in.bias", at::kFloat); }),
              HasSubstr("I32"));
}

TEST_F(CheckpointTest, ReportsMismatchesOfASingleFileInItsOwnNames) {
  NamedTensors tensors = model_.single_file();
  tensors.erase("model.diffusion_model.out.2.bias");
  tensors.erase(
      "conditioner.embedders.0.open_clip.model.visual.transformer.resblocks.1.attn.in_proj_weight");
  tensors["first_stage_model.decoder.mid.attn_1.q.weight"] = at::zeros({64, 64});
  tensors["first_stage_model.surprise"] = at::zeros({1});
  tensors["somewhere.else"] = at::zeros({1});
  const Checkpoint checkpoint = Checkpoint::open(write_single("svd.safetensors", tensors));
  EXPECT_THAT(checkpoint.mismatches(Part::unet, model_.expected(Part::unet)),
              ElementsAre("missing: model.diffusion_model.out.2.bias [4]",
                          "unexpected: 'somewhere.else' [1]"));
  EXPECT_THAT(checkpoint.mismatches(Part::vae, model_.expected(Part::vae)),
              ElementsAre("first_stage_model.decoder.mid.attn_1.q.weight has shape [64, 64], "
                          "expected [64, 64, 1, 1]",
                          "unexpected: 'first_stage_model.surprise' [1]"));
  EXPECT_THAT(
      checkpoint.mismatches(Part::image_encoder, model_.expected(Part::image_encoder)),
      ElementsAre("missing: conditioner.embedders.0.open_clip.model.visual.transformer.resblocks.1."
                  "attn.in_proj_weight [192, 64]"));
  EXPECT_EQ(checkpoint.parts().back().name, "other");
}

TEST_F(CheckpointTest, RefusesPathsThatAreNoModel) {
  EXPECT_THAT(open_error(folder_ / "none"), HasSubstr("no such file or folder"));
  EXPECT_THAT(open_error(folder_.path()), HasSubstr("no unet/config.json"));
  save(folder_ / "svd.safetensors", {{"x", at::zeros({1})}});
  EXPECT_THAT(open_error(folder_.path()),
              HasSubstr("did you mean " + (folder_ / "svd.safetensors").string()));
  EXPECT_THAT(open_error(write_file(folder_ / "svd.ckpt", "\x80\x02}q.")), HasSubstr("pickle"));
}

}  // namespace
}  // namespace svd::weights
