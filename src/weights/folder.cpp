#include "weights/folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <system_error>

#include "base/json.h"

namespace svd::weights {
namespace {

namespace fs = std::filesystem;

/// Indices of large models have one line a tensor.
constexpr std::size_t kMaxIndexBytes = std::size_t{64} << 20;
constexpr std::size_t kMaxShards = 1000;

bool is_there(const fs::path& path) {
  std::error_code code;
  return fs::exists(path, code);
}

/// "weight_map" of an index: tensor -> file name beside the index.
std::map<std::string, std::string> read_weight_map(const fs::path& index) {
  const Json json = read_json_file(index, ErrorKind::model, kMaxIndexBytes);
  const JsonObject object(json, index.string(), ErrorKind::model);
  const Json& entries = object.at("weight_map");
  if (!entries.is_object() || entries.empty()) object.fail("weight_map", "a non-empty object");
  std::map<std::string, std::string> map;
  for (const auto& [name, file] : entries.items()) {
    const std::string value = file.is_string() ? file.get<std::string>() : std::string();
    // A plain file name: an index must not lead out of its folder.
    if (value.find('/') != std::string::npos || !value.ends_with(".safetensors")) {
      throw Error(ErrorKind::model,
                  fmt::format("{}: weight_map: {} names {}, expected a .safetensors file beside "
                              "the index",
                              index.string(), printable(name), printable(value)));
    }
    map.emplace(name, value);
  }
  return map;
}

}  // namespace

PartFiles choose_part_files(const fs::path& folder, const std::string& stem) {
  const std::string candidates[] = {
      stem + ".safetensors",
      stem + ".safetensors.index.json",
      stem + ".fp16.safetensors",
      stem + ".safetensors.index.fp16.json",
      stem + ".fp16.safetensors.index.json",
  };
  for (const std::string& name : candidates) {
    const fs::path path = folder / name;
    if (!is_there(path)) continue;
    if (path.extension() == ".safetensors") return {{path}, {}};
    PartFiles files{{}, path};
    for (const auto& [tensor, file] : read_weight_map(path)) {
      const fs::path shard = folder / file;
      if (std::find(files.files.begin(), files.files.end(), shard) != files.files.end()) continue;
      if (files.files.size() == kMaxShards) {
        throw Error(ErrorKind::model,
                    fmt::format("{}: names more than {} files", path.string(), kMaxShards));
      }
      if (!is_there(shard)) {
        throw Error(ErrorKind::model,
                    fmt::format("{}: {} names it, but it is not there", shard.string(), name));
      }
      files.files.push_back(shard);
    }
    return files;
  }
  for (const char* pickle : {".bin", ".fp16.bin"}) {
    if (is_there(folder / (stem + pickle))) {
      throw Error(
          ErrorKind::model,
          fmt::format("{}: is a Python pickle, which can run any program when it is opened; "
                      "svd-gen does not read it",
                      (folder / (stem + pickle)).string()),
          "get the .safetensors files of the same model");
    }
  }
  throw Error(ErrorKind::model,
              fmt::format("{}: has no weights: expected {}", folder.string(), candidates[0]),
              "complete the download, or get the model's .fp16.safetensors variant");
}

std::vector<std::shared_ptr<SafetensorsFile>> open_part_files(const PartFiles& files) {
  std::vector<std::shared_ptr<SafetensorsFile>> opened;
  for (const fs::path& path : files.files) opened.push_back(SafetensorsFile::open(path));
  if (files.index.empty()) return opened;

  const std::map<std::string, std::string> map = read_weight_map(files.index);
  std::size_t found = 0;
  for (const auto& file : opened) {
    for (const TensorInfo& info : file->tensors()) {
      const auto entry = map.find(info.name);
      if (entry == map.end() || entry->second != file->path().filename()) {
        throw Error(ErrorKind::model, fmt::format("{}: tensor {} is in {}, but not listed there",
                                                  files.index.string(), printable(info.name),
                                                  file->path().filename().string()));
      }
      ++found;
    }
  }
  if (found == map.size()) return opened;
  for (const auto& entry : map) {
    const auto holds = [&entry](const auto& shard) {
      return shard->path().filename() == entry.second && shard->find(entry.first) != nullptr;
    };
    if (std::none_of(opened.begin(), opened.end(), holds)) {
      throw Error(ErrorKind::model, fmt::format("{}: tensor {} is not in {}", files.index.string(),
                                                printable(entry.first), entry.second));
    }
  }
  return opened;
}

}  // namespace svd::weights
