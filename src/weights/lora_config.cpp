#include "weights/lora_config.h"

#include <fmt/format.h>

#include <cmath>
#include <system_error>

#include "base/json.h"
#include "svd/error.h"

namespace svd::weights {
namespace {

namespace fs = std::filesystem;
constexpr const char* kBeside = "adapter_config.json";
constexpr const char* kMetadata = "lora_adapter_metadata";
constexpr double kMostAlpha = 1e6;

bool is_name(const std::string& text) {
  return text.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") ==
         std::string::npos;
}

/// Whether `ending` is the layer's name or the last of the parts between its points.
bool ends_with_parts(const std::string& layer, const std::string& ending) {
  return layer == ending || layer.ends_with("." + ending);
}

/// `prefix`: of the keys.
LoraConfig read(const JsonObject& object, const std::string& prefix) {
  if (object.boolean(prefix + "use_dora", false))
    object.fail(prefix + "use_dora", "false: DoRA is not computed");
  LoraConfig config;
  config.alpha = object.number(prefix + "lora_alpha", -kMostAlpha, kMostAlpha);
  config.is_rank_stabilised = object.boolean(prefix + "use_rslora", false);
  const std::string pattern = prefix + "alpha_pattern";
  if (!object.has(pattern)) return config;
  const JsonObject alphas = object.object(pattern);
  for (const auto& [name, value] : object.at(pattern).items()) {
    if (!is_name(name)) alphas.fail(name, "names of layers, no regular expressions");
    config.alpha_pattern[name] = alphas.number(name, -kMostAlpha, kMostAlpha);
  }
  return config;
}

}  // namespace

std::optional<LoraConfig> lora_config_in(const std::map<std::string, std::string>& metadata,
                                         const std::string& source) {
  const auto found = metadata.find(kMetadata);
  if (found == metadata.end()) return std::nullopt;
  const std::string entry = fmt::format("{}: {}", source, kMetadata);
  const Json json = parse_json(found->second, entry, ErrorKind::model);
  const JsonObject object(json, entry, ErrorKind::model);
  for (const char* prefix : {"unet.", ""})
    if (object.has(std::string(prefix) + "lora_alpha")) return read(object, prefix);
  return std::nullopt;
}

std::optional<LoraConfig> lora_config_beside(const fs::path& file) {
  const fs::path beside = file.parent_path() / kBeside;
  std::error_code code;
  if (!fs::exists(beside, code)) return std::nullopt;
  const Json json = read_json_file(beside, ErrorKind::model);
  return read(JsonObject(json, beside.string(), ErrorKind::model), "");
}

double LoraConfig::scale(const std::string& layer, std::int64_t rank) const {
  double used = alpha;
  for (const auto& [ending, value] : alpha_pattern)
    if (ends_with_parts(layer, ending)) used = value;
  return used / (is_rank_stabilised ? std::sqrt(double(rank)) : double(rank));
}

}  // namespace svd::weights
