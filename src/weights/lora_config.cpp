#include "weights/lora_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <initializer_list>
#include <iterator>
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

/// Nothing where the keys with one of the prefixes do not tell an alpha.
std::optional<LoraConfig> parse(const std::string& text, const std::string& source,
                                std::initializer_list<std::string> prefixes) {
  const Json json = parse_json(text, source, ErrorKind::model);
  const JsonObject object(json, source, ErrorKind::model);
  const auto prefix = std::find_if(prefixes.begin(), prefixes.end(), [&](const std::string& each) {
    return object.has(each + "lora_alpha");
  });
  if (prefix == prefixes.end()) return std::nullopt;
  if (object.boolean(*prefix + "use_dora", false))
    object.fail(*prefix + "use_dora", "false: DoRA is not computed");
  LoraConfig config;
  config.alpha = object.number(*prefix + "lora_alpha", -kMostAlpha, kMostAlpha);
  config.is_rank_stabilised = object.boolean(*prefix + "use_rslora", false);
  const std::string pattern = *prefix + "alpha_pattern";
  if (!object.has(pattern)) return config;
  const JsonObject alphas = object.object(pattern);
  const auto in_order = nlohmann::ordered_json::parse(text).at(pattern);
  for (const auto& [name, value] : in_order.items()) {
    if (!is_name(name)) alphas.fail(name, "names of layers, no regular expressions");
    config.alpha_pattern.emplace_back(name, alphas.number(name, -kMostAlpha, kMostAlpha));
  }
  return config;
}

}  // namespace

std::optional<LoraConfig> lora_config_in(const std::map<std::string, std::string>& metadata,
                                         const std::string& source) {
  const auto found = metadata.find(kMetadata);
  if (found == metadata.end()) return std::nullopt;
  return parse(found->second, fmt::format("{}: {}", source, kMetadata), {"unet.", ""});
}

std::optional<LoraConfig> lora_config_beside(const fs::path& file) {
  const fs::path beside = file.parent_path() / kBeside;
  std::error_code code;
  if (!fs::exists(beside, code)) return std::nullopt;
  read_json_file(beside, ErrorKind::model);  // refuses what is too large or none
  std::ifstream in(beside);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  return parse(text, beside.string(), {""});
}

double LoraConfig::scale(const std::string& layer, std::int64_t rank) const {
  const auto own = std::find_if(alpha_pattern.begin(), alpha_pattern.end(), [&](const auto& each) {
    return ends_with_parts(layer, each.first);
  });
  const double used = own == alpha_pattern.end() ? alpha : own->second;
  return used / (is_rank_stabilised ? std::sqrt(double(rank)) : double(rank));
}

}  // namespace svd::weights
