#include <algorithm>

#include "checkpoint_fixture.h"
#include "weights/fingerprint.h"

namespace svd::weights {
namespace {

class ModelId : public CheckpointTest {
 protected:
  std::string id(const NamedTensors& unet) {
    const fs::path folder = folder_ / std::to_string(count_++);
    model_.write_folder(folder);
    save(folder / "unet/diffusion_pytorch_model.safetensors", unet);
    return Checkpoint::open(folder).id();
  }
  const NamedTensors unet_ = model_.parts.at(Part::unet);
  int count_ = 0;
};

TEST_F(ModelId, IsTheSameForACopy) {
  const std::string first = id(unet_);
  EXPECT_EQ(first.size(), 32u);
  EXPECT_EQ(first.find_first_not_of("0123456789abcdef"), std::string::npos) << first;
  EXPECT_EQ(id(unet_), first);
  const fs::path file = write_single("a.safetensors", model_.single_file());
  fs::copy_file(file, folder_ / "b.safetensors");
  fs::copy_file(folder_ / "a.json", folder_ / "b.json");
  const Checkpoint checkpoint = Checkpoint::open(file);
  EXPECT_EQ(checkpoint.id(), Checkpoint::open(folder_ / "b.safetensors").id());
  EXPECT_EQ(checkpoint.id(), checkpoint.id());
}

TEST_F(ModelId, ChangesWithNamesShapesTypesAndSampledBytes) {
  const auto large = std::max_element(unet_.begin(), unet_.end(), [](const auto& a, const auto& b) {
    return a.second.numel() < b.second.numel();
  });
  const std::int64_t count = large->second.numel();
  std::vector<std::string> ids = {id(unet_)};
  for (const std::int64_t element : {std::int64_t{0}, count / 2, count - 1}) {
    NamedTensors changed = unet_;
    changed[large->first] = large->second.clone();
    changed[large->first].view({-1})[element] += 0.5;
    ids.push_back(id(changed));
  }
  NamedTensors turned = unet_;
  turned["conv_in.weight"] = turned["conv_in.weight"].reshape({-1});
  ids.push_back(id(turned));
  NamedTensors renamed = unet_;
  renamed["conv_in.weigth"] = renamed["conv_in.weight"];
  renamed.erase("conv_in.weight");
  ids.push_back(id(renamed));
  NamedTensors shorter = unet_;
  shorter["conv_in.bias"] = at::zeros_like(shorter["conv_in.bias"]).to(at::kHalf);
  ids.push_back(id(shorter));

  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(std::unique(ids.begin(), ids.end()), ids.end()) << "all differ";
}

TEST(FingerprintTest, MindsWherePiecesEnd) {
  const auto of = [](std::initializer_list<const char*> pieces) {
    Fingerprint fingerprint;
    for (const char* piece : pieces) fingerprint.add(piece);
    return fingerprint.hex();
  };
  EXPECT_EQ(of({"ab", "c"}), of({"ab", "c"}));
  EXPECT_NE(of({"ab", "c"}), of({"a", "bc"}));
  EXPECT_EQ(of({}), "99aa06d3014798d86001c324468d497f") << "XXH3-128 of nothing";
}

}  // namespace
}  // namespace svd::weights
