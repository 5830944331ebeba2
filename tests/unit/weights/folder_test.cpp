#include <functional>

#include "checkpoint_fixture.h"

namespace svd::weights {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

class FolderTest : public CheckpointTest {
 protected:
  void SetUp() override { model_.write_folder(folder_.path()); }

  void edit(const std::string& file, const std::function<void(Json&)>& change) {
    Json json = model_.configs().at(file);
    change(json);
    write_file(folder_ / file, json.dump());
  }
  /// The error with one key of a configuration changed.
  std::string error_with(const std::string& file, const std::string& key, const Json& value) {
    edit(file, [&](Json& json) { json[key] = value; });
    std::string error = open_error(folder_.path());
    edit(file, [](Json&) {});
    return error;
  }
};

TEST_F(FolderTest, PrefersFullPrecisionToTheHalfVariant) {
  NamedTensors half;
  for (const auto& [name, tensor] : model_.parts.at(Part::unet)) half[name] = tensor.to(at::kHalf);
  save(folder_ / "unet/diffusion_pytorch_model.fp16.safetensors", half);
  EXPECT_EQ(Checkpoint::open(folder_.path()).parts()[0].dtypes.begin()->first, "F32");
  fs::remove(folder_ / "unet/diffusion_pytorch_model.safetensors");
  const Checkpoint checkpoint = Checkpoint::open(folder_.path());
  EXPECT_EQ(checkpoint.parts()[0].dtypes.begin()->first, "F16");
  EXPECT_THAT(checkpoint.mismatches(Part::unet, model_.expected(Part::unet)), IsEmpty());
}

TEST_F(FolderTest, ReadsShards) {
  const NamedTensors& all = model_.parts.at(Part::unet);
  NamedTensors shards[2];
  Json map;
  for (const auto& [name, tensor] : all) {
    const int shard = map.size() % 3 == 0 ? 1 : 0;
    shards[shard][name] = tensor;
    map[name] = "part-" + std::to_string(shard) + ".safetensors";
  }
  fs::remove(folder_ / "unet/diffusion_pytorch_model.safetensors");
  save(folder_ / "unet/part-0.safetensors", shards[0]);
  save(folder_ / "unet/part-1.safetensors", shards[1]);
  const auto write_index = [&](const Json& weight_map,
                               const char* name =
                                   "diffusion_pytorch_model.safetensors.index.json") {
    write_file(folder_ / "unet" / name,
               Json({{"metadata", {{"total_size", 1}}}, {"weight_map", weight_map}}).dump());
  };
  write_index(map);
  expect_same_weights(Checkpoint::open(folder_.path()), model_);

  Json wrong = map;
  wrong["conv_in.weight"] = "../part-0.safetensors";
  write_index(wrong);
  EXPECT_THAT(open_error(folder_.path()),
              AllOf(HasSubstr("conv_in.weight"), HasSubstr("beside the index")));
  wrong["conv_in.weight"] = "part-2.safetensors";
  write_index(wrong);
  EXPECT_THAT(open_error(folder_.path()), HasSubstr("part-2.safetensors"));
  wrong = map;
  wrong["nobody"] = "part-0.safetensors";
  write_index(wrong);
  EXPECT_THAT(open_error(folder_.path()), AllOf(HasSubstr("'nobody'"), HasSubstr("not in part-0")));
  wrong = map;
  wrong.erase("conv_in.weight");
  write_index(wrong);
  EXPECT_THAT(open_error(folder_.path()),
              AllOf(HasSubstr("'conv_in.weight'"), HasSubstr("not listed")));
  write_index(Json::array());
  EXPECT_THAT(open_error(folder_.path()), HasSubstr("weight_map"));

  fs::remove(folder_ / "unet/diffusion_pytorch_model.safetensors.index.json");
  write_index(map, "diffusion_pytorch_model.safetensors.index.fp16.json");
  expect_same_weights(Checkpoint::open(folder_.path()), model_);
}

TEST_F(FolderTest, FeatureExtractorIsOptional) {
  const ModelConfig plain = Checkpoint::open(folder_.path()).config();
  EXPECT_EQ(plain.clip.image_mean, (std::vector<double>{0.48145466, 0.4578275, 0.40821073}));
  write_file(
      folder_ / "feature_extractor/preprocessor_config.json",
      R"({"image_mean": [0.1, 0.2, 0.3], "image_std": [1, 2, 3], "crop_size": {"height": 224}})");
  const ModelConfig given = Checkpoint::open(folder_.path()).config();
  EXPECT_EQ(given.clip.image_mean, (std::vector<double>{0.1, 0.2, 0.3}));
  EXPECT_EQ(given.clip.image_std, (std::vector<double>{1, 2, 3}));
  write_file(folder_ / "feature_extractor/preprocessor_config.json", R"({"image_std": [0, 1, 1]})");
  EXPECT_THAT(open_error(folder_.path()), HasSubstr("'image_std' contains 0"));
}

TEST_F(FolderTest, ModelIndexMayNameDefaults) {
  const ModelDefaults plain = Checkpoint::open(folder_.path()).config().defaults;
  EXPECT_EQ(plain.frames, 14);
  EXPECT_EQ(plain.steps, 0);
  EXPECT_LT(plain.min_guidance, 0);
  EXPECT_EQ(plain.width, 1024);
  EXPECT_EQ(plain.height, 576);
  EXPECT_EQ(plain.motion_bucket_id, 127);
  edit("model_index.json", [](Json& json) {
    json["svd_gen"] = {{"frames", 8},           {"steps", 5},   {"min_guidance", 1.0},
                       {"max_guidance", 1.5},   {"width", 128}, {"height", 64},
                       {"motion_bucket_id", 60}};
  });
  const ModelDefaults defaults = Checkpoint::open(folder_.path()).config().defaults;
  EXPECT_EQ(defaults.frames, 8);
  EXPECT_EQ(defaults.steps, 5);
  EXPECT_EQ(defaults.min_guidance, 1.0);
  EXPECT_EQ(defaults.max_guidance, 1.5);
  EXPECT_EQ(defaults.width, 128);
  EXPECT_EQ(defaults.height, 64);
  EXPECT_EQ(defaults.motion_bucket_id, 60);
  EXPECT_THAT(error_with("model_index.json", "svd_gen", {{"framse", 8}}), HasSubstr("frames"));
  EXPECT_THAT(error_with("model_index.json", "svd_gen", {{"width", 127}}),
              HasSubstr("a multiple of 4"));
  EXPECT_THAT(error_with("model_index.json", "svd_gen", 3), HasSubstr("an object"));
}

struct BadValue {
  const char* file;
  const char* key;
  const char* value;
  const char* message;
};

TEST_F(FolderTest, RefusesValuesThatItDoesNotCompute) {
  const std::vector<BadValue> bad = {
      {"model_index.json", "_class_name", R"("StableDiffusionPipeline")",
       "StableVideoDiffusionPipeline"},
      {"unet/config.json", "_class_name", R"("UNet2DConditionModel")",
       "UNetSpatioTemporalConditionModel"},
      {"unet/config.json", "in_channels", "-3", "'in_channels' is -3"},
      {"unet/config.json", "in_channels", "4", "takes 4 channels, expected 8"},
      {"unet/config.json", "in_channels", "8.5", "an integer"},
      {"unet/config.json", "out_channels", "3", "latent channels"},
      {"unet/config.json", "block_out_channels", "[32, 48]", "multiples of 32"},
      {"unet/config.json", "block_out_channels", "[32, 0]", "contains 0"},
      {"unet/config.json", "block_out_channels", "[]", "a list of 1 to 8"},
      {"unet/config.json", "block_out_channels", "[32, 99999999999999999999]", "contains 1e+20"},
      {"unet/config.json", "block_out_channels", "[32, 64, 64]", "a list of 3"},
      {"unet/config.json", "block_out_channels", "64", "a list"},
      {"unet/config.json", "down_block_types",
       R"(["CrossAttnDownBlock2D", "DownBlockSpatioTemporal"])", "CrossAttnDownBlock2D"},
      {"unet/config.json", "up_block_types", R"(["UpBlockSpatioTemporal"])", "a list of 2"},
      {"unet/config.json", "layers_per_block", "[1]", "a list of 2"},
      {"unet/config.json", "layers_per_block", "0", "from 1 to 16"},
      {"unet/config.json", "num_attention_heads", "[3, 2]",
       "32 channels cannot be divided among 3"},
      {"unet/config.json", "cross_attention_dim", "64", "projection_dim"},
      {"unet/config.json", "transformer_layers_per_block", "[[1], [1]]", "contains a list"},
      {"unet/config.json", "addition_time_embed_dim", "30", "3 x 30"},
      {"unet/config.json", "num_frames", "1001", "from 1 to 1000"},
      {"vae/config.json", "_class_name", R"("VQModel")",
       "AutoencoderKLTemporalDecoder or AutoencoderKL"},
      {"vae/config.json", "latent_channels", "16", "16 latent channels"},
      {"vae/config.json", "in_channels", "1", "RGB"},
      {"vae/config.json", "scaling_factor", "0", "'scaling_factor' is 0"},
      {"vae/config.json", "force_upcast", "1", "true or false"},
      {"vae/config.json", "down_block_types", R"(["DownEncoderBlock2D", "AttnDownEncoderBlock2D"])",
       "DownEncoderBlock2D"},
      {"image_encoder/config.json", "hidden_act", R"("silu")", "'gelu' or 'quick_gelu'"},
      {"image_encoder/config.json", "num_attention_heads", "5", "divided among 5"},
      {"image_encoder/config.json", "patch_size", "33", "larger than image_size"},
      {"image_encoder/config.json", "layer_norm_eps", "\"1e-5\"", "a number"},
      {"image_encoder/config.json", "architectures", R"(["CLIPModel"])",
       "CLIPVisionModelWithProjection"},
      {"scheduler/scheduler_config.json", "_class_name", R"("DDIMScheduler")",
       "EulerDiscreteScheduler"},
      {"scheduler/scheduler_config.json", "prediction_type", R"("epsilon")", "'v_prediction'"},
      {"scheduler/scheduler_config.json", "prediction_type", "null", "'v_prediction'"},
      {"scheduler/scheduler_config.json", "timestep_type", R"("discrete")", "'continuous'"},
      {"scheduler/scheduler_config.json", "timestep_spacing", R"("trailing")", "'leading'"},
      {"scheduler/scheduler_config.json", "use_karras_sigmas", "false",
       "'use_karras_sigmas' is false"},
      {"scheduler/scheduler_config.json", "use_beta_sigmas", "true", "use_beta_sigmas"},
      {"scheduler/scheduler_config.json", "final_sigmas_type", R"("sigma_min")", "'zero'"},
      {"scheduler/scheduler_config.json", "sigma_min", "-1", "'sigma_min' is -1"},
      {"scheduler/scheduler_config.json", "sigma_min", "null", "'sigma_min' is missing"},
      {"scheduler/scheduler_config.json", "sigma_max", "0.001", "less than 'sigma_max'"},
  };
  for (const BadValue& item : bad) {
    EXPECT_THAT(error_with(item.file, item.key, Json::parse(item.value)), HasSubstr(item.message))
        << item.file << " " << item.key << " " << item.value;
  }
  EXPECT_EQ(open_error(folder_.path()), "no error");
}

TEST_F(FolderTest, UnknownKeysAreIgnored) {
  EXPECT_EQ(error_with("unet/config.json", "some_new_key", {1, 2}), "no error");
}

TEST_F(FolderTest, RefusesWhatAFrameWiseDecoderCannotBe) {
  const TinyModel model(/*temporal=*/false);
  model.write_folder(folder_ / "other");
  for (const auto& [key, value] : std::map<std::string, Json>{{"norm_num_groups", 16},
                                                              {"act_fn", "relu"},
                                                              {"use_quant_conv", false},
                                                              {"shift_factor", 0.1}}) {
    Json json = model.configs().at("vae/config.json");
    json[key] = value;
    write_file(folder_ / "other/vae/config.json", json.dump());
    EXPECT_THAT(open_error(folder_ / "other"), HasSubstr(key));
  }
}

TEST_F(FolderTest, BrokenOrMissingPiecesAreNamed) {
  write_file(folder_ / "unet/config.json", "{\"in_channels\": ");
  EXPECT_THAT(open_error(folder_.path()),
              AllOf(HasSubstr("unet/config.json"), HasSubstr("not valid JSON")));
  write_file(folder_ / "unet/config.json", "[1]");
  EXPECT_THAT(open_error(folder_.path()), HasSubstr("expected an object"));
  edit("unet/config.json", [](Json&) {});
  fs::remove(folder_ / "scheduler/scheduler_config.json");
  EXPECT_THAT(open_error(folder_.path()),
              HasSubstr("scheduler/scheduler_config.json: no such file"));
  edit("scheduler/scheduler_config.json", [](Json&) {});
  fs::remove(folder_ / "vae/diffusion_pytorch_model.safetensors");
  EXPECT_THAT(open_error(folder_.path()),
              AllOf(HasSubstr("vae: has no weights"), HasSubstr("download")));
  write_file(folder_ / "vae/diffusion_pytorch_model.bin", "x");
  EXPECT_THAT(open_error(folder_.path()), HasSubstr("pickle"));
}

}  // namespace
}  // namespace svd::weights
