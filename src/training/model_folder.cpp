#include "training/model_folder.h"

#include <fmt/format.h>

#include <fstream>
#include <system_error>

#include "base/atomic_file.h"
#include "base/json.h"
#include "svd/error.h"
#include "weights/safetensors.h"

namespace svd::training {
namespace {

namespace fs = std::filesystem;
constexpr weights::Part kParts[] = {weights::Part::unet, weights::Part::vae,
                                    weights::Part::image_encoder};

void copy_one(const fs::path& from, const fs::path& to) {
  std::error_code code;
  fs::create_directories(to.parent_path(), code);
  fs::copy_file(from, to, code);
  if (code)
    throw Error(ErrorKind::output, fmt::format("{} cannot be copied to {}: {}", from.string(),
                                               to.string(), code.message()));
}

void copy_if_there(const fs::path& base, const fs::path& folder, const fs::path& name) {
  std::error_code code;
  if (fs::exists(base / name, code)) copy_one(base / name, folder / name);
}

void copy_weights(const fs::path& from, const fs::path& to) {
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(from, code)) {
    const fs::path name = entry.path().filename();
    if (name.extension() == ".safetensors" || name.string().ends_with(".index.json"))
      copy_one(entry.path(), to / name);
  }
}

void write_vae_config(const fs::path& base, const fs::path& folder, double scaling_factor) {
  std::ifstream in(base / "vae" / "config.json");
  auto json = nlohmann::ordered_json::parse(in);
  json["scaling_factor"] = scaling_factor;
  std::ofstream out(folder / "vae" / "config.json");
  out << json.dump(2) << '\n';
  out.close();
  if (!out) throw Error(ErrorKind::output, fmt::format("{} cannot be written", folder.string()));
}

}  // namespace

std::pair<std::string, std::string> place_of(weights::Part part) {
  return {to_string(part),
          part == weights::Part::image_encoder ? "model" : "diffusion_pytorch_model"};
}

void write_model_folder(const fs::path& base, const fs::path& folder,
                        const std::map<weights::Part, NamedTensors>& weights,
                        std::optional<double> scaling_factor) {
  AtomicPath made(folder, AtomicPath::Type::folder);
  const fs::path& to = made.temporary_path();
  copy_if_there(base, to, "model_index.json");
  copy_if_there(base, to, "scheduler/scheduler_config.json");
  copy_if_there(base, to, "feature_extractor/preprocessor_config.json");
  for (const weights::Part each : kParts) {
    const auto [name, stem] = place_of(each);
    copy_if_there(base, to, fs::path(name) / "config.json");
    if (const auto made_here = weights.find(each); made_here != weights.end())
      weights::save_safetensors(to / name / (stem + ".safetensors"), made_here->second,
                                {{"format", "pt"}});
    else
      copy_weights(base / name, to / name);
  }
  if (scaling_factor) write_vae_config(base, to, *scaling_factor);
  made.commit(true);
}

}  // namespace svd::training
