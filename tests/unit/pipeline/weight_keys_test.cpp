// docs/weight-keys.md is generated from what the networks declare and from the key table. Run this
// test with SVD_UPDATE_DOCS=1 to write it anew.

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "networks/clip/clip_vision_model.h"
#include "networks/unet/unet_spatio_temporal_condition.h"
#include "networks/vae/autoencoder.h"
#include "weights/key_table.h"

namespace svd {
namespace {

const char* describe(weights::Transform transform) {
  switch (transform) {
    case weights::Transform::same:
      return "";
    case weights::Transform::first_third:
      return "rows 1/3";
    case weights::Transform::second_third:
      return "rows 2/3";
    case weights::Transform::last_third:
      return "rows 3/3";
    case weights::Transform::transpose:
      return "transposed";
    case weights::Transform::squeeze:
      return "1x1 kernel";
  }
  return "?";
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::ostringstream text;
  for (std::size_t i = 0; i < shape.size(); ++i) text << (i ? "x" : "") << shape[i];
  return text.str();
}

void write_part(std::ostream& out, weights::Part part, const std::vector<nn::Module*>& networks,
                const weights::KeyTable& table) {
  out << "\n## " << weights::to_string(part)
      << "\n\n| diffusers | shape | single file | change |\n|---|---|---|---|\n";
  std::map<std::string, std::string> rows;
  for (nn::Module* network : networks) {
    for (const nn::Parameter& parameter : network->parameters()) {
      const weights::KeyEntry* entry = table.find(part, parameter.name);
      ASSERT_NE(entry, nullptr) << parameter.name << " has no published name";
      rows[parameter.name] = "| " + parameter.name + " | " + shape_text(parameter.shape) + " | " +
                             entry->published + " | " + describe(entry->transform) + " |\n";
    }
  }
  for (const auto& [name, row] : rows) out << row;
}

std::string generate() {
  const ModelConfig config;
  const weights::KeyTable table(config);
  networks::UNetSpatioTemporalConditionModel unet(config.unet, {});
  networks::AutoencoderEncoder encoder(config.vae);
  const auto decoder = networks::make_decoder(config.vae);
  networks::ClipVisionModelWithProjection clip(config.clip);

  std::ostringstream out;
  out << "# Weight keys\n\nEvery tensor of Stable Video Diffusion at its published size, under its "
         "name in a diffusers folder and in\nthe single file. Generated from the networks and the "
         "key table (tests/unit/pipeline/weight_keys_test.cpp);\ndo not edit.\n";
  write_part(out, weights::Part::unet, {&unet}, table);
  write_part(out, weights::Part::vae, {&encoder, decoder.get()}, table);
  write_part(out, weights::Part::image_encoder, {&clip}, table);
  return out.str();
}

TEST(WeightKeys, documentation_is_current) {
  const std::string path = std::string(SVD_TEST_DATA) + "/../docs/weight-keys.md";
  const std::string expected = generate();
  if (std::getenv("SVD_UPDATE_DOCS")) std::ofstream(path) << expected;
  std::ifstream file(path);
  std::ostringstream actual;
  actual << file.rdbuf();
  EXPECT_TRUE(actual.str() == expected) << "run this test with SVD_UPDATE_DOCS=1 and commit";
}

}  // namespace
}  // namespace svd
