#include "weights/checkpoint.h"

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <system_error>

#include "base/json.h"
#include "svd/error.h"
#include "weights/config_reader.h"
#include "weights/fingerprint.h"
#include "weights/folder.h"
#include "weights/key_table.h"
#include "weights/safetensors.h"
#include "weights/single_file.h"

namespace svd::weights {
namespace {

namespace fs = std::filesystem;

/// Where a tensor of the model is stored, under the file's own name.
struct Stored {
  std::shared_ptr<SafetensorsFile> file;
  const TensorInfo* info;
};
using Tensors = std::map<std::string, Stored>;

struct FolderPart {
  Part part;
  const char* folder;
  const char* stem;
};
constexpr FolderPart kFolderParts[] = {
    {Part::unet, "unet", "diffusion_pytorch_model"},
    {Part::vae, "vae", "diffusion_pytorch_model"},
    {Part::image_encoder, "image_encoder", "model"},
};

/// Older versions of transformers stored this constant with the weights.
constexpr const char* kPositionIds = "vision_model.embeddings.position_ids";

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

bool is_float(const TensorInfo& info) {
  return info.dtype.starts_with('F') || info.dtype == "BF16";
}

void count(PartSummary& part, const TensorInfo& info) {
  ++part.tensors;
  part.parameters += info.numel();
  part.bytes += static_cast<std::int64_t>(info.end - info.begin);
  ++part.dtypes[info.dtype];
}

/// Which part reads a single file's tensor. Names below no known prefix go to the UNet, so that
/// they are reported once.
Part part_of(const std::string& published) {
  if (published.starts_with(kClipPrefix)) return Part::image_encoder;
  if (published.starts_with(kConditionVaePrefix) || published.starts_with(kFirstStagePrefix)) {
    return Part::vae;
  }
  return Part::unet;
}

std::string folder_variant(const ModelConfig& config, const fs::path& path) {
  if (config.unet.block_out_channels != UNetConfig{}.block_out_channels) return "custom";
  const std::string name = fs::absolute(path).lexically_normal().string();
  const bool second =
      name.find("xt-1-1") != std::string::npos || name.find("xt-1.1") != std::string::npos;
  std::string variant = config.unet.num_frames == 14 ? "svd" : second ? "svd-xt-1.1" : "svd-xt";
  if (!config.vae.temporal_decoder) variant += "-image-decoder";
  return variant;
}

}  // namespace

const char* to_string(Layout layout) {
  return layout == Layout::diffusers_folder ? "diffusers folder" : "single file";
}

const char* to_string(Part part) {
  switch (part) {
    case Part::unet:
      return "unet";
    case Part::vae:
      return "vae";
    case Part::image_encoder:
      break;
  }
  return "image_encoder";
}

struct Checkpoint::State {
  fs::path path;
  Layout layout = Layout::diffusers_folder;
  std::string variant;
  ModelConfig config;
  std::vector<std::string> notices;
  std::vector<PartSummary> parts;
  std::map<Part, Tensors> tensors;
  std::optional<KeyTable> keys;  ///< of a single file
  std::vector<Lora> loras;

  /// The stored name and transform of a diffusers name; null: the layout has no such tensor.
  std::optional<KeyEntry> entry(Part part, const std::string& name) const {
    if (!keys) return KeyEntry{part, name, name};
    const KeyEntry* found = keys->find(part, name);
    return found == nullptr ? std::nullopt : std::optional(*found);
  }
  const Stored* stored(Part part, const std::string& name) const {
    const Tensors& all = tensors.at(part);
    const auto found = all.find(name);
    return found == all.end() ? nullptr : &found->second;
  }
  /// The same under the diffusers name.
  const Stored* find(Part part, const std::string& name) const {
    const std::optional<KeyEntry> known = entry(part, name);
    return known ? stored(part, known->published) : nullptr;
  }
  bool is_changed(const std::string& name) const {
    return std::any_of(loras.begin(), loras.end(),
                       [&](const Lora& lora) { return lora.changes(name); });
  }
  bool ignored(const std::string& name) const {
    return keys ? is_leftover(name) : name == kPositionIds;
  }

  void open_folder();
  void open_single_file();
};

void Checkpoint::State::open_folder() {
  layout = Layout::diffusers_folder;
  std::error_code code;
  if (!fs::exists(path / "unet" / "config.json", code)) {
    std::string hint =
        "a model is a diffusers folder (unet/, vae/, image_encoder/, scheduler/) or "
        "a single .safetensors file";
    for (const auto& item : fs::directory_iterator(path, code)) {
      if (item.path().extension() == ".safetensors") hint = "did you mean " + item.path().string();
    }
    if (fs::exists(path / kLoraFile, code))
      hint = fmt::format("--lora {} adds the LoRA in it to a model", (path / kLoraFile).string());
    if (fs::exists(path / "model" / "unet" / "config.json", code))  // a training run
      hint = "did you mean " + (path / "model").string();
    throw Error(ErrorKind::model, path.string() + ": no model folder: it has no unet/config.json",
                hint);
  }
  config = read_folder_config(path);
  variant = folder_variant(config, path);
  for (const FolderPart& part : kFolderParts) {
    PartSummary summary;
    summary.name = part.folder;
    Tensors& all = tensors[part.part];
    for (const auto& file : open_part_files(choose_part_files(path / part.folder, part.stem))) {
      for (const TensorInfo& info : file->tensors()) {
        count(summary, info);
        all.emplace(info.name, Stored{file, &info});
      }
    }
    parts.push_back(std::move(summary));
  }
}

void Checkpoint::State::open_single_file() {
  layout = Layout::single_file;
  const std::shared_ptr<SafetensorsFile> file = SafetensorsFile::open(path);
  SingleFileModel model = recognise_single_file(*file);
  config = std::move(model.config);
  variant = std::move(model.variant);
  notices = std::move(model.notices);
  keys.emplace(config);
  for (const std::string_view prefix :
       {kUNetPrefix, kClipPrefix, kConditionVaePrefix, kFirstStagePrefix, std::string_view()}) {
    PartSummary summary;
    summary.name = prefix.empty() ? "other" : std::string(prefix);
    parts.push_back(std::move(summary));
  }
  for (const Part part : {Part::unet, Part::vae, Part::image_encoder}) tensors[part];
  for (const TensorInfo& info : file->tensors()) {
    const auto part = std::find_if(parts.begin(), parts.end() - 1, [&](const PartSummary& p) {
      return info.name.starts_with(p.name);
    });
    count(*part, info);
    tensors[part_of(info.name)].emplace(info.name, Stored{file, &info});
  }
  if (parts.back().tensors == 0) parts.pop_back();
}

Checkpoint Checkpoint::open(const fs::path& path) {
  auto state = std::make_unique<State>();
  state->path = path;
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  if (!fs::exists(status)) {
    throw Error(ErrorKind::model, path.string() + ": no such file or folder");
  }
  if (fs::is_directory(status)) {
    state->open_folder();
  } else {
    state->open_single_file();
  }
  return Checkpoint(std::move(state));
}

Checkpoint::Checkpoint(std::unique_ptr<State> state) : state_(std::move(state)) {}
Checkpoint::~Checkpoint() = default;
Checkpoint::Checkpoint(Checkpoint&&) noexcept = default;
Checkpoint& Checkpoint::operator=(Checkpoint&&) noexcept = default;

const fs::path& Checkpoint::path() const { return state_->path; }
Layout Checkpoint::layout() const { return state_->layout; }
std::string Checkpoint::variant() const { return state_->variant; }
const ModelConfig& Checkpoint::config() const { return state_->config; }
const std::vector<std::string>& Checkpoint::notices() const { return state_->notices; }
std::vector<PartSummary> Checkpoint::parts() const { return state_->parts; }

std::string Checkpoint::id() const {
  Fingerprint fingerprint;
  for (const auto& [part, tensors] : state_->tensors) {
    fingerprint.add(to_string(part));
    for (const auto& [name, stored] : tensors) {
      fingerprint.add(name);
      fingerprint.add(stored.info->dtype);
      fingerprint.add(shape_text(stored.info->shape));
      fingerprint.add(stored.file->sample(*stored.info));
    }
  }
  for (const Lora& lora : state_->loras) lora.add_to(fingerprint);
  return fingerprint.hex();
}

void Checkpoint::add_lora(Lora lora) {
  for (const std::string& name : lora.names()) {
    const std::optional<KeyEntry> entry = state_->entry(Part::unet, name);
    const Stored* const stored = entry ? state_->stored(Part::unet, entry->published) : nullptr;
    const bool fits = stored != nullptr && lora.fits(name, stored->info->shape);
    if (!fits)
      throw Error(ErrorKind::model,
                  fmt::format("{}: {} of {} {}", lora.path().string(), printable(name),
                              state_->path.string(),
                              stored == nullptr ? "is not there" : "has another shape"),
                  "the LoRA was made for another model");
  }
  state_->loras.push_back(std::move(lora));
}

std::vector<std::string> Checkpoint::mismatches(Part part,
                                                const std::vector<ExpectedTensor>& expected) const {
  // A map by stored name: three expected tensors may come from one stored tensor.
  std::map<std::string, std::string> missing, wrong;
  std::set<std::string> known;
  for (const ExpectedTensor& tensor : expected) {
    const std::optional<KeyEntry> entry = state_->entry(part, tensor.name);
    if (!entry) {
      missing[tensor.name] = "has no counterpart in a single file";
      continue;
    }
    const std::vector<std::int64_t> shape = published_shape(entry->transform, tensor.shape);
    known.insert(entry->published);
    const Stored* stored = state_->stored(part, entry->published);
    if (stored == nullptr) {
      missing[entry->published] = shape_text(shape);
    } else if (stored->info->shape != shape) {
      wrong[entry->published] = fmt::format("has shape {}, expected {}",
                                            shape_text(stored->info->shape), shape_text(shape));
    } else if (!is_float(*stored->info)) {
      wrong[entry->published] =
          fmt::format("has dtype {}, expected a floating-point one", stored->info->dtype);
    }
  }
  const std::string where =
      state_->layout == Layout::single_file ? "" : std::string(to_string(part)) + ": ";
  std::vector<std::string> lines;
  lines.reserve(missing.size() + wrong.size());
  for (const auto& [name, what] : missing) {
    lines.push_back(fmt::format("missing: {}{} {}", where, name, what));
  }
  for (const auto& [name, what] : wrong) lines.push_back(fmt::format("{}{} {}", where, name, what));
  for (const auto& [name, stored] : state_->tensors.at(part)) {
    if (known.contains(name) || state_->ignored(name)) continue;
    lines.push_back(
        fmt::format("unexpected: {}{} {}", where, printable(name), shape_text(stored.info->shape)));
  }
  return lines;
}

at::Tensor Checkpoint::read(Part part, const std::string& name, at::ScalarType dtype) const {
  const std::optional<KeyEntry> entry = state_->entry(part, name);
  const Stored* stored = entry ? state_->stored(part, entry->published) : nullptr;
  const auto fail = [&](const std::string& why) {
    throw Error(ErrorKind::model, fmt::format("{}: {}: tensor {}: {}", state_->path.string(),
                                              to_string(part), printable(name), why));
  };
  if (stored == nullptr) fail("is not there");
  const SafetensorsFile& file = *stored->file;
  if (!is_float(*stored->info)) fail("has dtype " + stored->info->dtype + ", which is no weight");
  const std::size_t rank = stored->info->shape.size();
  if ((entry->transform == Transform::transpose && rank != 2) ||
      (entry->transform != Transform::same && rank == 0)) {
    fail("has shape " + shape_text(stored->info->shape));
  }
  at::Tensor source = apply(entry->transform, file.tensor(*stored->info));
  if (part == Part::unet && state_->is_changed(name)) {
    at::Tensor changed = source.to(at::TensorOptions().dtype(at::kFloat), /*non_blocking=*/false,
                                   /*copy=*/true, at::MemoryFormat::Contiguous);
    for (const Lora& lora : state_->loras) lora.add_to(name, changed);
    file.release(*stored->info);
    return changed.to(dtype);
  }
  if (source.scalar_type() == dtype && source.is_contiguous()) return source;
  at::Tensor converted = source.to(at::TensorOptions().dtype(dtype), /*non_blocking=*/false,
                                   /*copy=*/true, at::MemoryFormat::Contiguous);
  file.release(*stored->info);
  return converted;
}

void Checkpoint::prefetch(Part part, const std::string& name) const {
  const Stored* stored = state_->find(part, name);
  if (stored != nullptr) stored->file->prefetch(*stored->info);
}

void Checkpoint::release(Part part, const std::string& name) const {
  const Stored* stored = state_->find(part, name);
  if (stored != nullptr) stored->file->release(*stored->info);
}

}  // namespace svd::weights
