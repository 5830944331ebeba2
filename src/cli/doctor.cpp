#include "cli/doctor.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "base/json.h"
#include "cli/machine.h"
#include "cli/report.h"
#include "cli/version.h"
#include "pipeline/device.h"
#include "pipeline/networks.h"
#include "pipeline/threads.h"
#include "svd/error.h"
#include "svd/version.h"
#include "weights/checkpoint.h"
#include "weights/manifest.h"
#include "weights/model_search.h"
#ifdef SVD_HAVE_MEDIA
#include "media/encoders.h"
#endif

namespace svd::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int kMostCards = 64;

/// One line of the report, and the same as JSON.
class Examination {
 public:
  void note(const char* mark, const std::string& name, const std::string& value,
            const std::string& hint = {}) {
    lines_ += fmt::format("{:<8}{:<15}{}\n", mark, name, value);
    if (!hint.empty()) lines_ += fmt::format("{:<8}{:<15}hint: {}\n", "", "", hint);
  }
  void ok(const std::string& name, const std::string& value) { note("ok", name, value); }
  void missing(const std::string& name, const std::string& value, const std::string& hint) {
    note("missing", name, value, hint);
  }
  void heading(const std::string& text) { lines_ += "\n" + text + "\n"; }

  /// No clip can be made; the first such reason is the exit code.
  void stop(ErrorKind kind, const std::string& problem) {
    json["problems"].push_back(problem);
    if (code_ == 0) code_ = static_cast<int>(kind);
  }

  const std::string& text() const { return lines_; }
  int exit_code() const { return code_; }

  Json json = {{"version", version()}, {"ready", true}, {"problems", Json::array()}};

 private:
  std::string lines_;
  int code_ = 0;
};

void examine_processor(Examination& examination) {
  const CpuInfo cpu = cpu_info();
  const int cores = pipeline::default_threads();
  examination.ok("processor",
                 fmt::format("{}, {} core{} to use", cpu.name, cores, cores == 1 ? "" : "s"));
  if (cpu.features.empty())
    examination.missing("instructions", "neither AVX2 nor AVX-512", "it works, slowly");
  else
    examination.ok("instructions", fmt::format("{}", fmt::join(cpu.features, ", ")));
  examination.json["cpu"] = {{"name", cpu.name}, {"cores", cores}, {"features", cpu.features}};
}

void examine_memory(Examination& examination) {
  const MemoryInfo memory = memory_info();
  std::string text = format_bytes(memory.available_bytes) + " free";
  if (memory.total_bytes) text += " of " + format_bytes(*memory.total_bytes);
  if (memory.limit_bytes)
    text += fmt::format(", limited to {} by a control group", format_bytes(*memory.limit_bytes));
  examination.ok("memory", text);
  examination.json["memory"] = {{"total_bytes", or_null(memory.total_bytes)},
                                {"available_bytes", memory.available_bytes},
                                {"limit_bytes", or_null(memory.limit_bytes)}};
}

/// Every card from 0 on, the last failure says that there is no more.
std::vector<c10::Device> cards() {
  std::vector<c10::Device> found;
  try {
    for (int i = 0; i < kMostCards; ++i)
      found.push_back(pipeline::select_device(fmt::format("cuda:{}", i)));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::device) throw;
  }
  return found;
}

c10::Device examine_devices(Examination& examination) {
  std::string reason;
  const c10::Device chosen = pipeline::select_device("auto", &reason);
  Json devices = Json::array();
  if (chosen.is_cuda()) {
    for (const c10::Device& card : cards()) {
      const std::int64_t free = pipeline::free_device_bytes(card);
      const std::string text = pipeline::describe(card);
      examination.ok(card.str(), fmt::format("{}, {} free", text, format_bytes(free)));
      devices.push_back({{"name", card.str()}, {"description", text}, {"available_bytes", free}});
    }
  } else {
    examination.note("none", "CUDA", reason, "the CPU computes; that is slower, nothing else");
  }
  devices.push_back({{"name", "cpu"}, {"description", pipeline::describe(c10::kCPU)}});
  examination.json["devices"] = devices;
  examination.json["no_cuda_because"] = reason.empty() ? Json() : Json(reason);
  return chosen;
}

void examine_libraries(Examination& examination) {
  const Json libraries = library_versions();
  for (const auto& [name, number] : libraries.items())
    examination.ok(name, number.get<std::string>());
  examination.json["libraries"] = libraries;
}

#ifdef SVD_HAVE_MEDIA
void examine_encoders(Examination& examination) {
  Json encoders = Json::array();
  std::vector<std::pair<std::string, std::vector<std::string>>> by_codec;
  for (const media::KnownEncoder& known : media::known_encoders()) {
    encoders.push_back(
        {{"codec", known.codec}, {"encoder", known.encoder}, {"available", known.is_available}});
    if (by_codec.empty() || by_codec.back().first != known.codec)
      by_codec.push_back({known.codec, {}});
    if (known.is_available) by_codec.back().second.push_back(known.encoder);
  }
  for (const auto& [codec, names] : by_codec) {
    if (!names.empty()) {
      examination.ok(codec, fmt::format("{}", fmt::join(names, ", ")));
      continue;
    }
    const bool usual = codec == "h264";
    examination.missing(codec, "no encoder in the FFmpeg libraries",
                        usual ? "install a libavcodec with libx264, or use another --codec"
                              : "needed only for --codec " + codec);
    if (usual) examination.stop(ErrorKind::output, "no H.264 encoder");
  }
  examination.json["encoders"] = encoders;
}
#else
void examine_encoders(Examination& examination) {
  examination.missing("pictures", "this build reads and writes none", "build with -DSVD_MEDIA=ON");
  examination.stop(ErrorKind::output, "built without pictures and videos");
  examination.json["encoders"] = Json::array();
}
#endif

struct FoundDefault {
  std::string name;
  ModelDefaults defaults;
};

/// Looks at one model; returns its defaults if it is there and whole.
std::optional<FoundDefault> examine_model(const weights::Manifest& manifest,
                                          const std::optional<fs::path>& models_dir,
                                          Examination& examination) {
  Json json = {{"name", manifest.name}, {"title", manifest.title}, {"path", nullptr},
               {"complete", false},     {"wrong_keys", nullptr},   {"error", nullptr}};
  std::optional<FoundDefault> found;
  try {
    const fs::path path = weights::find_model(manifest.name, models_dir).path;
    json["path"] = path.string();
    const auto checkpoint = weights::Checkpoint::open(path);
    const std::size_t wrong = pipeline::check_weights(checkpoint).size();
    json["wrong_keys"] = wrong;
    json["complete"] = wrong == 0;
    if (wrong == 0) {
      found = FoundDefault{manifest.name, checkpoint.config().defaults};
      examination.ok(manifest.name, path.string());
    } else {
      examination.note("broken", manifest.name,
                       fmt::format("{}: {} wrong keys", path.string(), wrong),
                       "svd-gen inspect " + manifest.name + " lists them");
    }
  } catch (const Error& error) {
    json["error"] = error.what();
    const std::string message = error.what();
    const bool is_known =
        !json["path"].is_null() || message.find("(incomplete") != std::string::npos;
    if (!is_known)
      examination.note("none", manifest.name, "not found", error.hint());
    else
      examination.note("broken", manifest.name, message, error.hint());
  }
  examination.json["models"].push_back(json);
  return found;
}

/// The model that rendering takes unasked, else the best that is there.
std::optional<FoundDefault> examine_models(const std::optional<fs::path>& models_dir,
                                           Examination& examination) {
  examination.json["models"] = Json::array();
  std::vector<FoundDefault> found;
  for (const auto& manifest : weights::read_manifests(weights::bundled_models_folder()))
    if (auto model = examine_model(manifest, models_dir, examination)) found.push_back(*model);
  for (const char* name : {"svd-xt", "svd", "svd-xt-1.1", "tiny"}) {
    for (const FoundDefault& model : found)
      if (model.name == name) return model;
  }
  if (!found.empty()) return found.front();
  examination.stop(ErrorKind::model, "no model");
  return std::nullopt;
}

Json examine_folder(const char* name, const fs::path& path, Examination& examination) {
  const FolderInfo folder = folder_info(path);
  std::string text = folder.path.string();
  if (folder.free_bytes) text += fmt::format(", {} free", format_bytes(*folder.free_bytes));
  if (folder.is_writable)
    examination.ok(name, text);
  else
    examination.missing(name, text + ", not writable", "choose another with -o FOLDER/clip.mp4");
  return {{"path", folder.path.string()},
          {"writable", folder.is_writable},
          {"free_bytes", or_null(folder.free_bytes)}};
}

void examine_folders(Examination& examination) {
  std::error_code code;
  const fs::path temporary = fs::temp_directory_path(code);
  examination.json["folders"] = {
      {"temporary", examine_folder("temporary", code ? "/tmp" : temporary, examination)},
      {"current", examine_folder("current", fs::current_path(code), examination)}};
}

void conclude(const std::optional<FoundDefault>& model, const c10::Device& device,
              Examination& examination) {
  examination.json["default"] = nullptr;
  if (model) {
    const char* const dtype = to_string(pipeline::resolve_dtype(Dtype::automatic, device));
    const ModelDefaults& defaults = model->defaults;
    const bool unasked = model->name == "svd-xt";
    examination.note(
        unasked ? "ok" : "note", "runs",
        fmt::format("{}, {} frames of {}x{}, on {} in {}", model->name, defaults.frames,
                    defaults.width, defaults.height, device.str(), dtype),
        unasked ? "" : "only with --model " + model->name);
    examination.json["default"] = {{"model", model->name},      {"needs_model_option", !unasked},
                                   {"device", device.str()},    {"dtype", dtype},
                                   {"frames", defaults.frames}, {"width", defaults.width},
                                   {"height", defaults.height}};
  }
  examination.json["ready"] = examination.exit_code() == 0;
  examination.json["exit_code"] = examination.exit_code();
}

}  // namespace

int doctor(const DoctorOptions& options, bool json, std::ostream& out) {
  std::optional<fs::path> models_dir;
  if (options.models_dir) models_dir = *options.models_dir;
  Examination examination;
  examination.ok("svd-gen", version());
  examination.heading("Machine");
  examine_processor(examination);
  examine_memory(examination);
  const c10::Device device = examine_devices(examination);
  examination.heading("Libraries");
  examine_libraries(examination);
  examination.heading("Encoders");
  examine_encoders(examination);
  examination.heading("Models");
  const auto model = examine_models(models_dir, examination);
  examination.heading("Folders");
  examine_folders(examination);
  examination.heading("By default");
  conclude(model, device, examination);
  if (json) {
    out << dump(examination.json) << '\n';
    return examination.exit_code();
  }
  out << examination.text();
  for (const auto& problem : examination.json["problems"])
    out << "\nno clip can be made: " << problem.get<std::string>() << '\n';
  if (examination.exit_code() == 0) out << "\na clip can be made\n";
  return examination.exit_code();
}

}  // namespace svd::cli
