#include "weights/key_table.h"

#include <ATen/Functions.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "key_lists.h"
#include "weights/safetensors_header.h"

namespace svd::weights {
namespace {

struct Case {
  const char* name;
  const char* prefix;  ///< of the key lists
  bool temporal;
};

class KeyTableTest : public testing::TestWithParam<Case> {
 protected:
  static ModelConfig config() {
    ModelConfig config = *GetParam().prefix != '\0' ? tiny_config() : ModelConfig{};
    config.vae.temporal_decoder = GetParam().temporal;
    return config;
  }
  static Shapes diffusers_list(Part part) {
    std::string name = to_string(part);
    if (part == Part::vae && !GetParam().temporal) name += "_image_decoder";
    return key_list(GetParam().prefix + name);
  }
  const KeyTable table_{config()};
  const Shapes published_ = single_file_list(GetParam().prefix, GetParam().temporal);
};

TEST_P(KeyTableTest, HasEveryDiffusersNameOnceAndNoOther) {
  std::size_t total = 0;
  for (const Part part : {Part::unet, Part::vae, Part::image_encoder}) {
    const Shapes list = diffusers_list(part);
    total += list.size();
    for (const auto& [name, shape] : list) {
      ASSERT_NE(table_.find(part, name), nullptr) << to_string(part) << " " << name;
    }
  }
  EXPECT_EQ(table_.entries().size(), total);
  EXPECT_EQ(table_.find(Part::unet, "conv_in.weigh"), nullptr);
}

TEST_P(KeyTableTest, LeadsToPublishedTensorsOfTheRightShape) {
  for (const Part part : {Part::unet, Part::vae, Part::image_encoder}) {
    for (const auto& [name, shape] : diffusers_list(part)) {
      const KeyEntry& entry = *table_.find(part, name);
      const auto published = published_.find(entry.published);
      ASSERT_NE(published, published_.end()) << name << " -> " << entry.published;
      EXPECT_EQ(published_shape(entry.transform, shape), published->second) << entry.published;
    }
  }
}

TEST_P(KeyTableTest, UsesEveryPublishedTensorOnceOrKnowsItAsLeftover) {
  std::map<std::string, std::multiset<Transform>> used;
  for (const KeyEntry& entry : table_.entries()) used[entry.published].insert(entry.transform);
  for (const auto& [name, transforms] : used) {
    EXPECT_FALSE(is_leftover(name)) << name;
    if (transforms.size() == 1) {
      EXPECT_FALSE(transforms.contains(Transform::first_third)) << name;
    } else {
      EXPECT_EQ(transforms, (std::multiset{Transform::first_third, Transform::second_third,
                                           Transform::last_third}))
          << name;
    }
  }
  for (const auto& [name, shape] : published_) {
    EXPECT_TRUE(used.contains(name) || is_leftover(name)) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, KeyTableTest,
                         testing::Values(Case{"full", "", true},
                                         Case{"full_image_decoder", "", false},
                                         Case{"tiny", "tiny_", true},
                                         Case{"tiny_image_decoder", "tiny_", false}),
                         [](const auto& test) { return test.param.name; });

TEST(KeyPairs, AreThoseThatMakeBothImplementationsComputeTheSame) {
  for (const bool temporal : {true, false}) {
    const KeyTable table(tiny_config(temporal));
    const std::vector<KeyPair> pairs = tiny_pairs(temporal);
    EXPECT_EQ(pairs.size(), table.entries().size());
    for (const KeyPair& pair : pairs) {
      const Part part = pair.part == "unet"  ? Part::unet
                        : pair.part == "vae" ? Part::vae
                                             : Part::image_encoder;
      const KeyEntry* entry = table.find(part, pair.diffusers);
      ASSERT_NE(entry, nullptr) << pair.diffusers;
      EXPECT_EQ(entry->published, pair.published) << pair.diffusers;
    }
  }
}

TEST(Transforms, TakeTheirPartOfThePublishedTensor) {
  const at::Tensor joint = at::arange(12).reshape({6, 2});
  EXPECT_TRUE(at::equal(apply(Transform::first_third, joint), joint.slice(0, 0, 2)));
  EXPECT_TRUE(at::equal(apply(Transform::second_third, joint), joint.slice(0, 2, 4)));
  EXPECT_TRUE(at::equal(apply(Transform::last_third, joint), joint.slice(0, 4, 6)));
  EXPECT_TRUE(at::equal(apply(Transform::transpose, joint), joint.t()));
  EXPECT_TRUE(at::equal(apply(Transform::squeeze, joint.reshape({6, 2, 1, 1})), joint));
  EXPECT_TRUE(at::equal(apply(Transform::same, joint), joint));
}

TEST(PublishedSizes, OfTheSingleFiles) {
  const auto size_of = [](const Shapes& shapes) {
    std::vector<TensorInfo> infos;
    for (const auto& [name, shape] : shapes) infos.push_back({name, "F32", shape});
    const std::string header = layout_safetensors(infos, {});
    return header.size() + infos.back().end;
  };
  const auto count = [](const Shapes& shapes, std::string_view prefix) {
    return std::count_if(shapes.begin(), shapes.end(),
                         [&](const auto& item) { return item.first.starts_with(prefix); });
  };
  const Shapes temporal = single_file_list("", true);
  EXPECT_EQ(temporal.size(), 2446u);
  EXPECT_EQ(count(temporal, kUNetPrefix), 1428);
  EXPECT_EQ(count(temporal, kClipPrefix), 398);
  EXPECT_EQ(count(temporal, kConditionVaePrefix), 248);
  EXPECT_EQ(count(temporal, kFirstStagePrefix), 372);
  EXPECT_EQ(size_of(temporal), 9'559'625'980u);
  const Shapes frame_wise = single_file_list("", false);
  EXPECT_EQ(frame_wise.size(), 2322u);
  EXPECT_EQ(size_of(frame_wise), 9'503'252'964u);
}

TEST(PublishedSizes, OfTheDiffusersFiles) {
  // Published sizes of img2vid-xt; metadata and half precision as there.
  const auto size_of = [](const char* list, const char* dtype) {
    std::vector<TensorInfo> infos;
    for (const auto& [name, shape] : key_list(list)) infos.push_back({name, dtype, shape});
    const std::string header = layout_safetensors(infos, {{"format", "pt"}});
    return header.size() + infos.back().end;
  };
  EXPECT_EQ(size_of("unet", "F16"), 3'049'435'868u);
  EXPECT_EQ(size_of("unet", "F32"), 6'098'682'464u);
  EXPECT_EQ(size_of("vae", "F16"), 195'531'910u);
  EXPECT_EQ(size_of("image_encoder", "F16"), 1'264'217'240u);
}

}  // namespace
}  // namespace svd::weights
