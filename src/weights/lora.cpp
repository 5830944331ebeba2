#include "weights/lora.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/all.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/matmul.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <system_error>

#include "base/json.h"
#include "svd/error.h"
#include "weights/lora_config.h"
#include "weights/safetensors.h"

namespace svd::weights {
namespace {

namespace fs = std::filesystem;

constexpr int kMostStrength = 100;
constexpr const char* kPeftPrefix = "base_model.model.";
constexpr const char* kPeftFile = "adapter_model.safetensors";

enum class Role { down, up, alpha };

struct Key {
  std::string weight;  ///< the layer's own name, with ".weight"
  Role role;
};

struct Ending {
  const char* text;
  Role role;
};
constexpr Ending kEndings[] = {
    {".lora.down.weight", Role::down},
    {".lora.up.weight", Role::up},
    {"_lora.down.weight", Role::down},
    {"_lora.up.weight", Role::up},
    {".lora_A.weight", Role::down},
    {".lora_B.weight", Role::up},
    {".lora_A.default.weight", Role::down},
    {".lora_B.default.weight", Role::up},
    {".lora_linear_layer.down.weight", Role::down},
    {".lora_linear_layer.up.weight", Role::up},
    {".lora.alpha", Role::alpha},
    {".alpha", Role::alpha},
};

/// What a name in the file stands for; nothing: it is no name of a LoRA.
std::optional<Key> read_key(std::string name) {
  for (const char* prefix : {kPeftPrefix, "unet."})
    if (name.starts_with(prefix)) name.erase(0, std::char_traits<char>::length(prefix));
  for (const auto& [text, role] : kEndings) {
    if (!name.ends_with(text)) continue;
    std::string layer = name.substr(0, name.size() - std::char_traits<char>::length(text));
    if (const auto at = layer.find(".processor."); at != std::string::npos) layer.erase(at, 10);
    if (layer.ends_with(".to_out")) layer += ".0";
    return Key{layer + ".weight", role};
  }
  return std::nullopt;
}

[[noreturn]] void refuse_folder(const fs::path& folder) {
  std::error_code code;
  std::string hint = "a LoRA is named by its file";
  for (const fs::path& inside : {folder, folder / "model"})  // of a training run
    for (const char* name : {kPeftFile, kLoraFile})
      if (fs::is_regular_file(inside / name, code))
        hint = fmt::format("the file is {}", (inside / name).string());
  throw Error(ErrorKind::model, fmt::format("--lora {}: is a folder", printable(folder.string())),
              hint);
}

/// Where a file has no alphas of its own layers.
std::optional<LoraConfig> config_of(const SafetensorsFile& file) {
  if (auto config = lora_config_in(file.metadata(), file.path().string())) return config;
  const auto& tensors = file.tensors();
  const bool is_pefts = std::any_of(tensors.begin(), tensors.end(), [](const TensorInfo& info) {
    return info.name.starts_with(kPeftPrefix);
  });
  return is_pefts ? lora_config_beside(file.path()) : std::nullopt;
}

}  // namespace

Lora Lora::open(const fs::path& path, double strength) {
  const auto file = SafetensorsFile::open(path);
  const auto fail = [&](const std::string& why) {
    throw Error(ErrorKind::model, fmt::format("{}: {}", path.string(), why),
                "a LoRA of SVD's UNet is expected, as diffusers, peft or SVD_Xtend write it");
  };
  Lora lora;
  lora.path_ = path;
  lora.strength_ = strength;
  std::map<std::string, double> alphas;
  for (const TensorInfo& info : file->tensors()) {
    const std::optional<Key> key = read_key(info.name);
    if (!key) fail(printable(info.name) + " is no part of a LoRA");
    const at::Tensor value = file->tensor(info).to(at::kFloat);
    if (!value.isfinite().all().item<bool>())
      fail(printable(info.name) + " holds what is no number");
    if (key->role == Role::alpha) {
      if (value.numel() != 1) fail(printable(info.name) + " is not one number");
      alphas[key->weight] = value.item<double>();
      continue;
    }
    if (value.dim() != 2) fail(printable(info.name) + " is no matrix");
    Pair& pair = lora.pairs_[key->weight];
    (key->role == Role::down ? pair.down : pair.up) = value;
  }
  const std::optional<LoraConfig> config = config_of(*file);
  for (auto& [name, pair] : lora.pairs_) {
    if (!pair.down.defined() || !pair.up.defined())
      fail(fmt::format("of {} there is only one of the two matrices", printable(name)));
    if (pair.down.size(0) != pair.up.size(1))
      fail(fmt::format("the matrices of {} have the ranks {} and {}", printable(name),
                       pair.down.size(0), pair.up.size(1)));
    const std::int64_t rank = pair.down.size(0);
    if (const auto alpha = alphas.find(name); alpha != alphas.end())
      pair.scale = alpha->second / double(rank);
    else if (config)
      pair.scale = config->scale(name.substr(0, name.rfind(".weight")), rank);
  }
  if (lora.pairs_.empty()) fail("holds no matrices");
  return lora;
}

std::vector<std::string> Lora::names() const {
  std::vector<std::string> names;
  for (const auto& [name, pair] : pairs_) names.push_back(name);
  return names;
}

bool Lora::fits(const std::string& name, const std::vector<std::int64_t>& shape) const {
  const Pair& pair = pairs_.at(name);
  return shape == std::vector<std::int64_t>{pair.up.size(0), pair.down.size(1)};
}

void Lora::add_to(const std::string& name, const at::Tensor& weight) const {
  const auto found = pairs_.find(name);
  if (found == pairs_.end()) return;
  const Pair& pair = found->second;
  weight.add_(at::matmul(pair.up, pair.down), strength_ * pair.scale);
}

void Lora::add_to(Fingerprint& fingerprint) const {
  const auto add = [&](const at::Tensor& matrix) {
    const at::Tensor plain = matrix.contiguous();
    fingerprint.add({static_cast<const char*>(plain.const_data_ptr()), plain.nbytes()});
  };
  fingerprint.add("lora");
  for (const auto& [name, pair] : pairs_) {
    fingerprint.add(name);
    fingerprint.add(fmt::format("{}", strength_ * pair.scale));
    add(pair.down);
    add(pair.up);
  }
}

LoraChoice parse_lora(const std::string& text) {
  const auto fail = [&] {
    throw Error(
        ErrorKind::usage,
        fmt::format("--lora {0}: expected NAME or FILE, or with a strength from -{1} to {1} "
                    "like zoom:0.8",
                    printable(text), kMostStrength));
  };
  LoraChoice choice{text, 1};
  const std::size_t colon = text.rfind(':');
  if (colon != std::string::npos) {
    choice.name = text.substr(0, colon);
    const std::string number = text.substr(colon + 1);
    char* end = nullptr;
    choice.strength = std::strtod(number.c_str(), &end);
    if (number.empty() || *end != '\0' || !std::isfinite(choice.strength) ||
        std::abs(choice.strength) > kMostStrength)
      fail();
  }
  if (choice.name.empty()) fail();
  return choice;
}

fs::path find_lora(const std::string& name, const fs::path& model,
                   const std::optional<fs::path>& models_dir) {
  std::error_code code;
  if (fs::is_regular_file(name, code)) return name;
  const fs::path folder = fs::is_directory(model, code) ? model : model.parent_path();
  std::vector<fs::path> places = {folder / "loras"};
  if (models_dir) places.push_back(*models_dir / "loras");
  std::vector<std::string> known;
  for (const fs::path& place : places) {
    if (fs::is_regular_file(place / (name + ".safetensors"), code))
      return place / (name + ".safetensors");
    for (const auto& entry : fs::directory_iterator(place, code))
      if (entry.path().extension() == ".safetensors") known.push_back(entry.path().stem().string());
  }
  if (fs::is_directory(name, code)) refuse_folder(name);
  std::sort(known.begin(), known.end());
  throw Error(ErrorKind::model,
              fmt::format("--lora {}: no such file, and no LoRA of that name", printable(name)),
              known.empty() ? "a LoRA is named by its file, or lies in the folder loras of a model"
                            : fmt::format("there are: {}", fmt::join(known, ", ")));
}

}  // namespace svd::weights
