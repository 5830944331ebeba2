#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tiny_model.h"

namespace svd::weights {

namespace fs = std::filesystem;

inline std::string open_error(const fs::path& path) {
  return model_error([&] { Checkpoint::open(path); });
}

inline void expect_same_weights(const Checkpoint& checkpoint, const TinyModel& model) {
  for (const Part part : {Part::unet, Part::vae, Part::image_encoder}) {
    EXPECT_THAT(checkpoint.mismatches(part, model.expected(part)), testing::IsEmpty())
        << to_string(part);
    for (const auto& [name, tensor] : model.parts.at(part)) {
      const at::Tensor read = checkpoint.read(part, name, at::kFloat);
      ASSERT_TRUE(at::equal(read, tensor)) << to_string(part) << " " << name;
      ASSERT_TRUE(read.is_contiguous()) << name;
    }
  }
}

class CheckpointTest : public testing::Test {
 protected:
  fs::path write_single(const std::string& name, const NamedTensors& tensors,
                        const std::string& sidecar = R"({"num_head_channels": 32})") {
    save(folder_ / name, tensors);
    if (!sidecar.empty()) {
      write_file((folder_ / name).replace_extension(".json"), sidecar);
    }
    return folder_ / name;
  }
  TemporaryFolder folder_;
  const TinyModel model_;
};

}  // namespace svd::weights
