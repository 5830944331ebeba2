#include "cli/print_config.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "pipeline/profile.h"
#include "svd/generator.h"

namespace svd::cli {
namespace {

using OrderedJson = nlohmann::ordered_json;

/// Where a value comes from that was given nowhere.
std::string default_origin(const std::string& key, Profile profile) {
  const pipeline::ProfileValues& values = pipeline::profile_values(profile);
  const auto is = [&](std::initializer_list<const char*> keys) {
    return std::find(keys.begin(), keys.end(), key) != keys.end();
  };
  const bool of_profile = (key == "steps" && values.steps) ||
                          (key == "min_guidance" && values.min_guidance) ||
                          (key == "max_guidance" && values.max_guidance) ||
                          (key == "decode_chunk" && values.decode_chunk);
  if (of_profile) return std::string("profile ") + to_string(profile);
  if (is({"frames", "width", "height", "steps", "min_guidance", "max_guidance", "decode_chunk",
          "motion_bucket_id"}))
    return "model";
  if (is({"device", "dtype", "threads"})) return "machine";
  if (key == "seed") return "random";
  return "built-in";
}

/// The option that a key of a resolved request was read from.
std::string option_of(const std::string& key) {
  if (key == "width" || key == "height") return "--size";
  if (key == "memory_bytes") return "--memory";
  std::string name = "--" + key;
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

}  // namespace

OrderedJson print_config(const RenderOptions& options) {
  const Job& job = options.job;
  validate(job.request);
  const Generator generator({job.model, job.models_dir, job.request.frames, job.loras});
  const Request request = generator.resolve(job.request, 2, 1);
  OrderedJson json;
  const auto add = [&](const std::string& key, const OrderedJson& value, const std::string& name,
                       const std::string& otherwise) {
    const auto given = options.raw.values().find(name);
    const bool is_given = given != options.raw.values().end();
    json[key] = {{"value", value}, {"origin", is_given ? given->second.origin : otherwise}};
  };
  const OrderedJson resolved = OrderedJson::parse(to_json(request));
  for (const auto& [key, value] : resolved.items())
    add(key, value, option_of(key), default_origin(key, request.profile));
  add("model", generator.model().name, "--model", "built-in");
  for (const OptionRow& row : render_options()) {
    const std::string name = long_name(row);
    const std::string key = json_key(name);
    if (row.scope != Scope::clip || json.contains(key) || name == "--size" || name == "--memory")
      continue;
    const std::string* const text = options.raw.text(name);
    const bool is_flag = row.value == nullptr;
    add(key,
        is_flag ? OrderedJson(options.raw.is_set(name))
        : text  ? OrderedJson(*text)
                : nullptr,
        name, "built-in");
  }
  return json;
}

}  // namespace svd::cli
