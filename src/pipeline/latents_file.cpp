#include "pipeline/latents_file.h"

#include <ATen/TensorOperators.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <memory>

#include "svd/error.h"
#include "svd/latents.h"
#include "weights/safetensors.h"

namespace svd {
namespace {

constexpr const char* kTensor = "latents";
constexpr const char* kMetadata = "svd_gen";
constexpr std::int64_t kLongest = 1000;    // frames of a request
constexpr std::int64_t kWidest = 1 << 16;  // cells

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorKind::usage, why, "files of --save-latents can be decoded");
}

std::shared_ptr<weights::SafetensorsFile> open(const std::string& path) {
  try {
    return weights::SafetensorsFile::open(path);
  } catch (const Error& error) {
    refuse(error.what());  // a wrong file is a wrong option, not a wrong model
  }
}

const weights::TensorInfo& find(const weights::SafetensorsFile& file) {
  const std::string path = file.path().string();
  const weights::TensorInfo* info = file.find(kTensor);
  if (info == nullptr) refuse(fmt::format("{}: no tensor '{}'", path, kTensor));
  const auto& shape = info->shape;
  const bool fits = shape.size() == 4 && shape[0] <= kLongest &&
                    std::max(shape[2], shape[3]) <= kWidest &&
                    *std::min_element(shape.begin(), shape.end()) > 0;
  if (!fits || info->dtype != "F32")
    refuse(fmt::format("{}: '{}' is {} [{}], expected F32 [frames, channels, height, width]", path,
                       kTensor, info->dtype, fmt::join(shape, ", ")));
  return *info;
}

}  // namespace

LatentsInfo read_latents_info(const std::string& path) {
  const auto file = open(path);
  const weights::TensorInfo& info = find(*file);
  LatentsInfo latents;
  latents.frames = static_cast<int>(info.shape[0]);
  latents.height = static_cast<int>(info.shape[2]);
  latents.width = static_cast<int>(info.shape[3]);
  const auto metadata = file->metadata().find(kMetadata);
  if (metadata != file->metadata().end()) latents.metadata = metadata->second;
  return latents;
}

namespace pipeline {

void save_latents(const std::string& path, const at::Tensor& latents,
                  const std::optional<std::string>& metadata) {
  std::map<std::string, std::string> texts;
  if (metadata) texts.emplace(kMetadata, *metadata);
  weights::save_safetensors(path, {{kTensor, latents}}, texts);
}

at::Tensor read_latents(const std::string& path, const ModelConfig& model) {
  const auto file = open(path);
  const weights::TensorInfo& info = find(*file);
  if (info.shape[1] != model.vae.latent_channels)
    refuse(fmt::format("{}: '{}' has {} channels, this model decodes {}", path, kTensor,
                       info.shape[1], model.vae.latent_channels));
  at::Tensor latents = file->tensor(info);
  if (!latents.isfinite().all().item<bool>())
    refuse(fmt::format("{}: '{}' holds values that are no numbers", path, kTensor));
  return latents;
}

}  // namespace pipeline
}  // namespace svd
