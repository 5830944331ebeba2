#include "cli/raw_options.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace svd::cli {
namespace {

/// Keys of a resolved request that have another name or form on the command line.
constexpr const char* kWidth = "width";
constexpr const char* kHeight = "height";
constexpr std::pair<const char*, const char*> kOtherNames[] = {{"memory_bytes", "memory"}};

std::string option_key(const std::string& key) {
  for (const auto& [theirs, ours] : kOtherNames)
    if (key == theirs) return ours;
  return key;
}

std::string as_text(const JsonObject& object, const std::string& key, bool is_flag) {
  const Json& value = object.at(key);
  if (is_flag) return object.boolean(key) ? "true" : "false";
  if (value.is_string() && !value.get<std::string>().empty()) return object.string(key);
  if (value.is_number()) return value.dump();
  object.fail(key, "a number or a text");
}

}  // namespace

bool RawOptions::is_set(const std::string& name) const {
  const std::string* const value = text(name);
  return value != nullptr && *value == "true";
}

const std::string* RawOptions::text(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? nullptr : &found->second.texts.back();
}

std::vector<std::string> RawOptions::texts(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::vector<std::string>() : found->second.texts;
}

RawOptions RawOptions::over(const RawOptions& weaker) const {
  RawOptions merged = *this;
  merged.values_.insert(weaker.values_.begin(), weaker.values_.end());
  return merged;
}

std::string long_name(const OptionRow& row) {
  const std::string names = row.names;
  const std::size_t comma = names.rfind(',');
  return comma == std::string::npos ? names : names.substr(comma + 1);
}

std::string json_key(const std::string& long_name) {
  std::string key = long_name.substr(std::min(long_name.find_first_not_of('-'), long_name.size()));
  std::replace(key.begin(), key.end(), '-', '_');
  return key;
}

RawOptions read_json_options(const Json& json, const std::string& source, const std::string& origin,
                             ErrorKind kind) {
  const JsonObject object(json, source, kind);
  std::map<std::string, const OptionRow*> rows;
  std::vector<std::string> known = {kWidth, kHeight};
  for (const auto& [theirs, ours] : kOtherNames) known.emplace_back(theirs);
  for (const OptionRow& row : render_options()) {
    if (row.scope != Scope::clip) continue;
    known.push_back(json_key(long_name(row)));
    rows.emplace(known.back(), &row);
  }
  object.allow_only(known);

  RawOptions options;
  for (const auto& [key, value] : json.items()) {
    if (value.is_null() || key == kWidth || key == kHeight) continue;
    const OptionRow& row = *rows.at(option_key(key));
    options.set(long_name(row), {{as_text(object, key, row.value == nullptr)}, origin});
  }
  if (object.has(kWidth) || object.has(kHeight)) {
    const auto side = [&](const char* key) { return object.integer(key, 1, 1 << 20); };
    options.set("--size", {{fmt::format("{}x{}", side(kWidth), side(kHeight))}, origin});
  }
  return options;
}

}  // namespace svd::cli
