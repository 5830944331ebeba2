#include "weights/model_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string_view>
#include <system_error>

#include "base/json.h"
#include "base/suggest.h"
#include "svd/error.h"
#include "weights/folder.h"
#include "weights/manifest.h"

namespace svd::weights {
namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
  std::error_code code;
  return fs::exists(path, code);
}

/// Empty: not set.
fs::path folder_from(const char* variable) {
  const char* value = std::getenv(variable);
  return value == nullptr ? fs::path() : fs::path(value);
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/// What can only be meant as a path: a separator, a leading dot or tilde, a file's extension.
bool looks_like_path(const std::string& text) {
  static const std::set<std::string> kExtensions = {".safetensors", ".ckpt", ".pt",   ".pth",
                                                    ".bin",         ".gguf", ".json", ".zip"};
  return text.find('/') != std::string::npos || text.starts_with('.') || text.starts_with('~') ||
         kExtensions.contains(lower(fs::path(text).extension().string()));
}

[[noreturn]] void refuse_missing_path(const std::string& text) {
  const fs::path path(text);
  const fs::path parent = path.parent_path().empty() ? fs::path(".") : path.parent_path();
  if (!is_there(parent)) {
    throw Error(ErrorKind::model, fmt::format("no model at {}: there is no folder {}",
                                              printable(text), printable(parent.string())));
  }
  std::vector<std::string> neighbours;
  std::error_code code;
  for (const auto& item : fs::directory_iterator(parent, code)) {
    neighbours.push_back(item.path().filename().string());
  }
  throw Error(ErrorKind::model,
              fmt::format("no model at {}: no such file or folder", printable(text)),
              did_you_mean(path.filename().string(), neighbours));
}

[[noreturn]] void refuse_unknown_name(const std::string& text,
                                      const std::vector<Manifest>& manifests) {
  std::vector<std::string> names;
  names.reserve(manifests.size());
  for (const Manifest& manifest : manifests) names.push_back(manifest.name);
  std::string normal = lower(text);
  std::replace(normal.begin(), normal.end(), '_', '-');
  const std::string hint = did_you_mean(normal, names);
  throw Error(
      ErrorKind::model,
      fmt::format("unknown model {}; known names: {}", printable(text), fmt::join(names, ", ")),
      hint.empty() ? "or give the path of a diffusers folder or a .safetensors file" : hint);
}

/// Why the diffusers folder cannot be used, for example an interrupted download. Empty: it can.
std::string what_is_missing(const fs::path& folder) {
  static constexpr std::pair<const char*, const char*> kParts[] = {
      {"unet", "diffusion_pytorch_model"},
      {"vae", "diffusion_pytorch_model"},
      {"image_encoder", "model"}};
  for (const auto& [part, stem] : kParts) {
    if (!is_there(folder / part / "config.json")) return fmt::format("no {}/config.json", part);
    try {
      choose_part_files(folder / part, stem);
    } catch (const Error&) {
      return fmt::format("no complete weights in {}/", part);
    }
  }
  return is_there(folder / "scheduler" / "scheduler_config.json")
             ? ""
             : "no scheduler/scheduler_config.json";
}

/// A search for one model that remembers where it looked.
class Search {
 public:
  explicit Search(const Manifest& manifest) : manifest_(manifest) {}

  /// Folders and single files of the model below `root`.
  bool try_root(const fs::path& root) {
    if (root.empty() || !note(root)) return false;
    for (const std::string& name : manifest_.folders) {
      if (try_folder(root / name)) return true;
    }
    return try_single_files(root);
  }

  /// Snapshots of the model in the Hugging Face cache `hub`, the one that refs/main names first.
  bool try_hub(const fs::path& hub) {
    if (hub.empty() || manifest_.repository.empty()) return false;
    std::string name = "models--" + manifest_.repository;
    name.replace(name.find('/'), 1, "--");
    const fs::path model = hub / name;
    if (!note(model)) return false;
    std::vector<fs::path> snapshots;
    std::error_code code;
    for (const auto& item : fs::directory_iterator(model / "snapshots", code)) {
      snapshots.push_back(item.path());
    }
    std::string main;
    std::ifstream(model / "refs" / "main") >> main;
    std::sort(snapshots.begin(), snapshots.end(), [&](const fs::path& a, const fs::path& b) {
      return std::pair(a.filename() != main, a) < std::pair(b.filename() != main, b);
    });
    return std::any_of(snapshots.begin(), snapshots.end(), [&](const fs::path& snapshot) {
      return try_folder(snapshot) || try_single_files(snapshot);
    });
  }

  /// ComfyUI's checkpoints, which are single files.
  bool try_comfyui(const fs::path& comfyui) {
    if (comfyui.empty() || manifest_.single_files.empty()) return false;
    const fs::path checkpoints = comfyui / "models" / "checkpoints";
    return note(checkpoints) && try_single_files(checkpoints);
  }

  const fs::path& found() const { return found_; }
  const std::vector<std::string>& places() const { return places_; }

 private:
  /// Whether to look below `root`: it is there and was not searched before.
  bool note(const fs::path& root) {
    std::error_code code;
    if (!seen_.insert(fs::weakly_canonical(root, code)).second) return false;
    const bool there = is_there(root);
    places_.push_back(root.string() + (there ? "" : " (not there)"));
    return there;
  }
  bool try_folder(const fs::path& folder) {
    if (!is_there(folder / "unet")) return false;
    if (const std::string missing = what_is_missing(folder); !missing.empty()) {
      places_.push_back(fmt::format("{} (incomplete: {})", folder.string(), missing));
      return false;
    }
    found_ = folder;
    return true;
  }
  bool try_single_files(const fs::path& root) {
    for (const std::string& name : manifest_.single_files) {
      if (!is_there(root / name)) continue;
      found_ = root / name;
      return true;
    }
    return false;
  }

  const Manifest& manifest_;
  fs::path found_;
  std::vector<std::string> places_;
  std::set<fs::path> seen_;
};

fs::path hub_cache() {
  if (fs::path hub = folder_from("HF_HUB_CACHE"); !hub.empty()) return hub;
  if (const fs::path home = folder_from("HF_HOME"); !home.empty()) return home / "hub";
  if (const fs::path cache = folder_from("XDG_CACHE_HOME"); !cache.empty()) {
    return cache / "huggingface" / "hub";
  }
  const fs::path home = folder_from("HOME");
  return home.empty() ? home : home / ".cache" / "huggingface" / "hub";
}

fs::path comfyui_in_home() {
  const fs::path home = folder_from("HOME");
  return home.empty() ? home : home / "ComfyUI";
}

bool is_folder(const fs::path& path) {
  std::error_code code;
  return fs::is_directory(path, code);
}

std::string shell_quoted(const std::string& text) {
  const auto plain = [](unsigned char c) {
    return std::isalnum(c) ||
           std::string_view("/._-+").find(static_cast<char>(c)) != std::string_view::npos;
  };
  if (std::all_of(text.begin(), text.end(), plain)) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

// As it can be typed in the current folder; it lies beside the manifests' folder, installed or not.
std::string download_script(const fs::path& manifests) {
  const fs::path script = manifests.parent_path() / "scripts" / "download_model.sh";
  std::error_code code;
  const fs::path near = fs::proximate(script, code);
  return shell_quoted(code || *near.begin() == ".." ? script.string() : near.string());
}

}  // namespace

FoundModel find_model(const std::string& name_or_path, const std::optional<fs::path>& models_dir) {
  if (name_or_path.empty()) throw Error(ErrorKind::model, "the name of the model is empty");
  const fs::path bundled = bundled_models_folder();
  const std::vector<Manifest> manifests = read_manifests(bundled);
  const auto manifest =
      std::find_if(manifests.begin(), manifests.end(),
                   [&](const Manifest& known) { return known.name == name_or_path; });
  if (manifest == manifests.end()) {
    if (is_there(name_or_path)) return {name_or_path, name_or_path, ""};
    if (looks_like_path(name_or_path)) refuse_missing_path(name_or_path);
    refuse_unknown_name(name_or_path, manifests);
  }

  Search search(*manifest);
  if (search.try_root(models_dir.value_or(fs::path())) ||
      search.try_root(folder_from("SVD_GEN_MODELS")) || search.try_root("./models") ||
      search.try_root(bundled) || search.try_hub(hub_cache()) ||
      search.try_comfyui(folder_from("COMFYUI_PATH")) || search.try_comfyui(comfyui_in_home())) {
    FoundModel found{manifest->name, search.found(), manifest->notice};
    if (models_dir && !is_folder(*models_dir)) {
      // A typing error here would otherwise go unseen, and another copy be used.
      found.notice +=
          fmt::format("{}--models-dir {}: there is no such folder; found {}",
                      found.notice.empty() ? "" : "\n", models_dir->string(), found.path.string());
    }
    return found;
  }
  std::string fetch = download_script(bundled) + " " + manifest->name;
  if (models_dir) fetch += " --dir " + shell_quoted(models_dir->string());
  throw Error(ErrorKind::model,
              fmt::format("model {} is not on this machine; looked in {}", manifest->name,
                          fmt::join(search.places(), ", ")),
              manifest->repository.empty() ? "it comes with svd-gen: install svd-gen again"
                                           : "fetch it with: " + fetch);
}

}  // namespace svd::weights
