#include "weights/model_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>

#include "base/json.h"
#include "temporary.h"
#include "weights/manifest.h"

namespace svd::weights {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// A machine without any model: no variable points anywhere but into an empty home, which is the
/// current folder.
class ModelSearchTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"svd", "svd-xt", "svd-xt-1.1"}) {
      if (fs::exists(fs::path(SVD_MODELS_DIR) / name)) {
        GTEST_SKIP() << name << " was downloaded into the source tree and would be found";
      }
    }
    start_ = fs::current_path();
    fs::current_path(folder_.path());
    for (const char* name :
         {"SVD_GEN_MODELS", "HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "COMFYUI_PATH", "HOME"}) {
      if (const char* value = std::getenv(name)) saved_[name] = value;
      unsetenv(name);
    }
    set("HOME", folder_.path());
  }
  void TearDown() override {
    for (const std::string& name : set_) unsetenv(name.c_str());
    for (const auto& [name, value] : saved_) setenv(name.c_str(), value.c_str(), 1);
    if (!start_.empty()) fs::current_path(start_);
  }
  void set(const std::string& name, const fs::path& value) {
    setenv(name.c_str(), value.c_str(), 1);
    set_.push_back(name);
  }
  /// Enough of a diffusers folder for the search.
  fs::path make_folder(const fs::path& path) {
    for (const char* file :
         {"unet/config.json", "unet/diffusion_pytorch_model.fp16.safetensors", "vae/config.json",
          "vae/diffusion_pytorch_model.fp16.safetensors", "image_encoder/config.json",
          "image_encoder/model.fp16.safetensors", "scheduler/scheduler_config.json"}) {
      write_file(path / file, "x");
    }
    return path;
  }
  fs::path found(const std::string& name) { return find_model(name, models_dir_).path; }
  std::string error(const std::string& name) {
    return model_error([&] { find_model(name, models_dir_); });
  }

  TemporaryFolder folder_;
  std::optional<fs::path> models_dir_;

 private:
  fs::path start_;
  std::map<std::string, std::string> saved_;
  std::vector<std::string> set_;
};

TEST_F(ModelSearchTest, TakesExistingPathsAsTheyAre) {
  write_file(folder_ / "some.safetensors", "x");
  const FoundModel file = find_model((folder_ / "some.safetensors").string(), {});
  EXPECT_EQ(file.path, folder_ / "some.safetensors");
  EXPECT_EQ(file.name, file.path.string());
  EXPECT_THAT(file.notice, IsEmpty());
  EXPECT_EQ(find_model(folder_.path().string(), {}).path, folder_.path());
  EXPECT_EQ(find_model("some.safetensors", {}).path, "some.safetensors");
}

TEST_F(ModelSearchTest, TellsWrongPathsFromWrongNames) {
  write_file(folder_ / "svd_xt.safetensors", "x");
  EXPECT_THAT(error("./none"), AllOf(HasSubstr("'./none'"), HasSubstr("no such file or folder")));
  EXPECT_THAT(error("svdxt.safetensors"),
              AllOf(HasSubstr("no such file"), HasSubstr("svd_xt.safetensors")));
  EXPECT_THAT(error("none.ckpt"), HasSubstr("no such file"));
  EXPECT_THAT(error("no/such/model"), HasSubstr("there is no folder 'no/such'"));
  EXPECT_THAT(error("svdxt"),
              AllOf(HasSubstr("unknown model 'svdxt'"), HasSubstr("svd, svd-xt, svd-xt-1.1, tiny"),
                    HasSubstr("did you mean")));
  EXPECT_THAT(error("SVD_XT"), HasSubstr("mean svd-xt?"));
  EXPECT_THAT(error("sdxl-turbo-whatever"), HasSubstr("path of a diffusers folder"));
  EXPECT_THAT(error(""), HasSubstr("empty"));
}

TEST_F(ModelSearchTest, NotFoundNamesPlacesAndTheCommand) {
  set("SVD_GEN_MODELS", folder_ / "variable");
  set("COMFYUI_PATH", folder_ / "comfy");
  models_dir_ = folder_ / "my models";
  const std::string text = error("svd-xt");
  for (const char* place :
       {"my models (not there)", "variable (not there)", "./models", "comfy/models/checkpoints",
        ".cache/huggingface/hub/models--stabilityai--stable-video-diffusion-img2vid-xt",
        "ComfyUI/models/checkpoints"}) {
    EXPECT_THAT(text, HasSubstr(place));
  }
  EXPECT_THAT(text,
              HasSubstr("scripts/download_model.sh svd-xt --dir '" + models_dir_->string() + "'"));
}

TEST_F(ModelSearchTest, SearchesInOrder) {
  // From the last place to the first: each new one wins.
  const fs::path comfy_home =
      write_file(folder_ / "ComfyUI/models/checkpoints/svd_xt.safetensors", "x");
  EXPECT_EQ(found("svd-xt"), comfy_home);
  set("COMFYUI_PATH", folder_ / "comfy");
  const fs::path comfy = write_file(folder_ / "comfy/models/checkpoints/svd_xt.safetensors", "x");
  EXPECT_EQ(found("svd-xt"), comfy);
  const std::string cached = "models--stabilityai--stable-video-diffusion-img2vid-xt/snapshots/abc";
  const fs::path home = make_folder(folder_ / (".cache/huggingface/hub/" + cached));
  EXPECT_EQ(found("svd-xt"), home);
  set("XDG_CACHE_HOME", folder_ / "xdg");
  const fs::path xdg = make_folder(folder_ / ("xdg/huggingface/hub/" + cached));
  EXPECT_EQ(found("svd-xt"), xdg);
  set("HF_HOME", folder_ / "hf");
  const fs::path hf = make_folder(folder_ / ("hf/hub/" + cached));
  EXPECT_EQ(found("svd-xt"), hf);
  set("HF_HUB_CACHE", folder_ / "hub");
  const fs::path hub = make_folder(folder_ / ("hub/" + cached));
  EXPECT_EQ(found("svd-xt"), hub);
  const fs::path here = write_file(folder_ / "models/svd_xt.safetensors", "x");
  EXPECT_TRUE(fs::equivalent(found("svd-xt"), here));
  const fs::path here_folder = make_folder(folder_ / "models/svd-xt");
  EXPECT_TRUE(fs::equivalent(found("svd-xt"), here_folder))
      << "a folder comes before a single file";
  set("SVD_GEN_MODELS", folder_ / "variable");
  const fs::path variable = make_folder(folder_ / "variable/stable-video-diffusion-img2vid-xt");
  EXPECT_EQ(found("svd-xt"), variable);
  models_dir_ = folder_ / "option";
  const fs::path option = write_file(folder_ / "option/svd_xt_image_decoder.safetensors", "x");
  EXPECT_EQ(found("svd-xt"), option);
  EXPECT_THAT(find_model("svd-xt", models_dir_).notice, HasSubstr("licence"));
  EXPECT_EQ(find_model("svd-xt", models_dir_).name, "svd-xt");
  EXPECT_THAT(find_model("svd-xt", models_dir_).notice, Not(HasSubstr("--models-dir")));
  EXPECT_THAT(find_model("svd-xt", folder_ / "optoin").notice,
              HasSubstr("--models-dir " + (folder_ / "optoin").string()));
}

TEST_F(ModelSearchTest, DoesNotMixUpModels) {
  write_file(folder_ / "models/svd_xt.safetensors", "x");
  make_folder(folder_ / "models/svd-xt-1.1");
  EXPECT_THAT(error("svd"), HasSubstr("not on this machine"));
}

TEST_F(ModelSearchTest, TheCachesMainRevisionComesFirst) {
  const fs::path model =
      folder_ / ".cache/huggingface/hub/models--stabilityai--stable-video-diffusion-img2vid";
  make_folder(model / "snapshots/aaa");
  const fs::path main = make_folder(model / "snapshots/bbb");
  make_folder(model / "snapshots/ccc");
  write_file(model / "refs/main", "bbb");
  EXPECT_EQ(found("svd"), main);
  // A snapshot may hold the single file alone.
  fs::remove_all(model / "snapshots");
  const fs::path single = write_file(model / "snapshots/bbb/svd.safetensors", "x");
  EXPECT_EQ(found("svd"), single);
}

TEST_F(ModelSearchTest, IncompleteFoldersAreNamedAndPassedOver) {
  models_dir_ = folder_ / "option";
  const fs::path broken = make_folder(folder_ / "option/svd");
  fs::rename(broken / "vae/diffusion_pytorch_model.fp16.safetensors",
             broken / "vae/diffusion_pytorch_model.fp16.safetensors.part");
  EXPECT_THAT(error("svd"), HasSubstr("option/svd (incomplete: no complete weights in vae/)"));
  const fs::path whole = make_folder(folder_ / "models/svd");
  EXPECT_TRUE(fs::equivalent(found("svd"), whole));
}

TEST(Manifests, AreThoseOfTheIssue) {
  std::vector<std::string> names;
  for (const Manifest& manifest : read_manifests(SVD_MODELS_DIR)) names.push_back(manifest.name);
  EXPECT_THAT(names, ElementsAre("svd", "svd-xt", "svd-xt-1.1", "tiny"));
  EXPECT_TRUE(fs::equivalent(bundled_models_folder(), SVD_MODELS_DIR));
  for (const Manifest& manifest : read_manifests(SVD_MODELS_DIR)) {
    EXPECT_EQ(manifest.frames, manifest.name == "svd" || manifest.name == "tiny" ? 14 : 25);
    EXPECT_EQ(manifest.gated, manifest.name == "svd-xt-1.1");
    EXPECT_EQ(manifest.repository.empty(), manifest.name == "tiny");
    EXPECT_THAT(manifest.notice, Not(IsEmpty()));
  }
}

TEST(Manifests, ListFilesThatMakeACompleteFolder) {
  for (const char* name : {"svd", "svd-xt", "svd-xt-1.1"}) {
    const Json json =
        read_json_file(fs::path(SVD_MODELS_DIR) / (std::string(name) + ".json"), ErrorKind::model);
    std::set<std::string> paths;
    for (const Json& file : json.at("files")) {
      paths.insert(file.at("path").get<std::string>());
      if (!file.at("sha256").is_null()) {
        EXPECT_EQ(file.at("sha256").get<std::string>().find_first_not_of("0123456789abcdef"),
                  std::string::npos);
        EXPECT_EQ(file.at("sha256").get<std::string>().size(), 64u);
      }
    }
    for (const char* path :
         {"model_index.json", "unet/config.json", "vae/config.json", "image_encoder/config.json",
          "scheduler/scheduler_config.json", "unet/diffusion_pytorch_model.fp16.safetensors",
          "vae/diffusion_pytorch_model.fp16.safetensors", "image_encoder/model.fp16.safetensors"}) {
      EXPECT_TRUE(paths.contains(path)) << name << " " << path;
    }
    EXPECT_FALSE(json.at("licence").at("name").get<std::string>().empty());
    EXPECT_TRUE(json.at("licence").at("url").get<std::string>().starts_with("https://"));
  }
}

TEST(Manifests, BrokenOnesAreNamed) {
  const TemporaryFolder folder;
  const auto error = [&] { return model_error([&] { read_manifests(folder.path()); }); };
  const Json good = {{"name", "a"},
                     {"title", "A"},
                     {"repository", "o/a"},
                     {"gated", false},
                     {"frames", 14},
                     {"folders", Json::array()},
                     {"single_files", {"a.safetensors"}}};
  write_file(folder / "a.json", good.dump());
  EXPECT_EQ(error(), "no error");
  Json bad = good;
  bad["repository"] = "a";
  write_file(folder / "a.json", bad.dump());
  EXPECT_THAT(error(), AllOf(HasSubstr("a.json"), HasSubstr("OWNER/NAME")));
  write_file(folder / "a.json", "{");
  EXPECT_THAT(error(), HasSubstr("a.json"));
  fs::remove(folder / "a.json");
  write_file(folder / "b.json", good.dump());
  EXPECT_THAT(error(), HasSubstr("the name of its file"));
}

}  // namespace
}  // namespace svd::weights
