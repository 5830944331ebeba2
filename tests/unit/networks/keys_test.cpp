// The networks declare exactly the published tensors, at the published size. The lists are written
// by tests/golden/make_keys.py from diffusers' and transformers' own classes.

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "networks/clip/clip_vision_model.h"
#include "networks/unet/unet_spatio_temporal_condition.h"
#include "networks/vae/autoencoder.h"

namespace svd::networks {
namespace {

std::set<std::string> golden_lines(const std::string& name) {
  std::ifstream file(std::string(SVD_TEST_DATA) + "/golden/keys/" + name);
  std::set<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.insert(line);
  return lines;
}

void add_lines(nn::Module& network, std::set<std::string>& lines) {
  for (const nn::Parameter& parameter : network.parameters()) {
    std::ostringstream line;
    line << parameter.name;
    for (std::int64_t size : parameter.shape) line << ' ' << size;
    EXPECT_TRUE(lines.insert(line.str()).second) << "declared twice: " << line.str();
  }
}

std::int64_t count_parameters(nn::Module& network) {
  std::int64_t count = 0;
  for (const nn::Parameter& parameter : network.parameters()) {
    std::int64_t numel = 1;
    for (std::int64_t size : parameter.shape) numel *= size;
    count += numel;
  }
  return count;
}

TEST(Keys, unet) {
  UNetSpatioTemporalConditionModel unet(UNetConfig{}, {});
  std::set<std::string> lines;
  add_lines(unet, lines);
  EXPECT_EQ(lines, golden_lines("unet.txt"));
  EXPECT_EQ(lines.size(), 1428u);
  EXPECT_EQ(count_parameters(unet), 1'524'623'082);
}

TEST(Keys, temporal_autoencoder) {
  AutoencoderEncoder encoder(VaeConfig{});
  std::set<std::string> lines;
  add_lines(encoder, lines);
  add_lines(*make_decoder(VaeConfig{}), lines);
  EXPECT_EQ(lines, golden_lines("vae.txt"));
  EXPECT_EQ(lines.size(), 374u);
}

TEST(Keys, image_autoencoder) {
  VaeConfig config;
  config.temporal_decoder = false;
  AutoencoderEncoder encoder(config);
  std::set<std::string> lines;
  add_lines(encoder, lines);
  add_lines(*make_decoder(config), lines);
  EXPECT_EQ(lines, golden_lines("vae_image_decoder.txt"));
}

TEST(Keys, clip) {
  ClipVisionModelWithProjection clip(ClipVisionConfig{});
  std::set<std::string> lines;
  add_lines(clip, lines);
  EXPECT_EQ(lines, golden_lines("image_encoder.txt"));
  EXPECT_EQ(count_parameters(clip), 632'076'800);
}

}  // namespace
}  // namespace svd::networks
