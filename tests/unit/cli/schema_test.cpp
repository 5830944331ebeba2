// The schemas in configs/schemas say what the program takes and writes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>

#include "cli/option_table.h"
#include "cli/raw_options.h"
#include "svd/observer.h"

namespace svd::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kConfigs = fs::path(SVD_TEST_DATA).parent_path() / "configs";

json read(const fs::path& path) {
  std::ifstream file(path);
  return json::parse(file);
}

std::set<std::string> keys_of(const json& object) {
  std::set<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.insert(key);
  return keys;
}

json request_properties() { return read(kConfigs / "schemas" / "request.json")["properties"]; }

TEST(Schemas, ARequestHasTheOptionsOfAClip) {
  std::set<std::string> expected = {"description", "width", "height", "memory_bytes"};
  for (const OptionRow& row : render_options())
    if (row.scope == Scope::clip) expected.insert(json_key(long_name(row)));
  EXPECT_EQ(keys_of(request_properties()), expected);
}

TEST(Schemas, FlagsAreBooleans) {
  const json properties = request_properties();
  for (const OptionRow& row : render_options()) {
    if (row.scope != Scope::clip) continue;
    const json& property = properties[json_key(long_name(row))];
    const bool is_flag = property.value("type", json()) == json({"boolean", "null"});
    EXPECT_EQ(is_flag, row.value == nullptr) << row.names;
  }
}

TEST(Schemas, ChoicesAreThoseOfTheHelp) {
  const json properties = request_properties();
  for (const OptionRow& row : render_options()) {
    const std::string value = row.value ? row.value : "";
    if (row.scope != Scope::clip || value.find('|') == std::string::npos ||
        value.find('[') != std::string::npos)
      continue;
    const json& property = properties[json_key(long_name(row))];
    ASSERT_TRUE(property.contains("enum")) << row.names;
    std::set<std::string> in_help, in_schema;
    std::istringstream names(value);
    for (std::string name; std::getline(names, name, '|');) in_help.insert(name);
    for (const json& name : property["enum"])
      if (name.is_string()) in_schema.insert(name.get<std::string>());
    EXPECT_EQ(in_schema, in_help) << row.names;
  }
}

TEST(Schemas, PresetsHaveOnlyKeysOfARequest) {
  const std::set<std::string> known = keys_of(request_properties());
  int presets = 0;
  for (const auto& entry : fs::directory_iterator(kConfigs)) {
    if (entry.path().extension() != ".json") continue;
    ++presets;
    for (const std::string& key : keys_of(read(entry.path())))
      EXPECT_TRUE(known.contains(key)) << entry.path() << ": " << key;
  }
  EXPECT_GT(presets, 0);
}

TEST(Schemas, ProgressNamesEveryStage) {
  const json schema = read(kConfigs / "schemas" / "progress.json");
  std::set<std::string> stages;
  for (const Stage stage : {Stage::load_conditioning, Stage::condition, Stage::load_unet,
                            Stage::sample, Stage::load_decoder, Stage::decode})
    stages.insert(to_string(stage));
  EXPECT_EQ(schema["$defs"]["stage"]["enum"].get<std::set<std::string>>(), stages);
}

}  // namespace
}  // namespace svd::cli
