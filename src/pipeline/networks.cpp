#include "pipeline/networks.h"

#include <c10/core/InferenceMode.h>
#include <c10/core/MemoryFormat.h>
#include <c10/util/Exception.h>
#include <c10/util/accumulate.h>

#include <cstdint>
#include <utility>

#include "networks/clip/clip_vision_model.h"
#include "networks/unet/unet_spatio_temporal_condition.h"
#include "networks/vae/autoencoder.h"
#include "ops/packed.h"

namespace svd::pipeline {
namespace {

void append_expected(nn::Module& network, std::vector<ExpectedTensor>& expected) {
  for (nn::Parameter& parameter : network.parameters())
    expected.push_back({std::move(parameter.name), std::move(parameter.shape)});
}

// A kernel in channels-last memory under its declared shape; [O, I, 3, 1, 1] is run as [O, I, 3,
// 1].
at::Tensor channels_last_kernel(const at::Tensor& kernel) {
  constexpr auto format = at::MemoryFormat::ChannelsLast;
  return kernel.dim() == 5 ? kernel.squeeze(-1).contiguous(format).unsqueeze(-1)
                           : kernel.contiguous(format);
}

// As tensors that are allocated are.
bool is_aligned(const at::Tensor& tensor) {
  constexpr std::uintptr_t kAlignment = 64;
  return reinterpret_cast<std::uintptr_t>(tensor.const_data_ptr()) % kAlignment == 0;
}

}  // namespace

std::vector<std::string> check_weights(const weights::Checkpoint& checkpoint) {
  const ModelConfig& config = checkpoint.config();
  std::vector<ExpectedTensor> unet, vae, clip;
  {
    networks::UNetSpatioTemporalConditionModel network(config.unet, {});
    append_expected(network, unet);
  }
  {
    networks::AutoencoderEncoder encoder(config.vae);
    append_expected(encoder, vae);
    append_expected(*networks::make_decoder(config.vae), vae);
  }
  {
    networks::ClipVisionModelWithProjection network(config.clip);
    append_expected(network, clip);
  }
  std::vector<std::string> lines = checkpoint.mismatches(weights::Part::unet, unet);
  for (std::string& line : checkpoint.mismatches(weights::Part::vae, vae))
    lines.push_back(std::move(line));
  for (std::string& line : checkpoint.mismatches(weights::Part::image_encoder, clip))
    lines.push_back(std::move(line));
  return lines;
}

NetworkWeights::NetworkWeights(nn::Module& network, const WeightSource& source,
                               std::int64_t kept_bytes, std::function<void()> between, Form form)
    : source_(source), between_(std::move(between)), form_(form) {
  for (const nn::Unit& unit : network.units()) {
    Loadable loadable{unit.module, unit.module->parameters(), false};
    std::int64_t bytes = 0;
    for (nn::Parameter& parameter : loadable.parameters) {
      parameter.name = unit.prefix + parameter.name;
      if (parameter.use == nn::Use::forward)
        bytes += c10::multiply_integers(parameter.shape) *
                 static_cast<std::int64_t>(c10::elementSize(source.dtype));
    }
    if (unit.module->is_streamable()) {
      loadable.comes_and_goes = bytes > kept_bytes;
      if (!loadable.comes_and_goes) kept_bytes -= bytes;
    }
    index_.emplace(unit.module, units_.size());
    units_.push_back(std::move(loadable));
  }
}

NetworkWeights::~NetworkWeights() { drop(); }

void NetworkWeights::drop() {
  ahead_ = {};  // waits
  for (Loadable& unit : units_) {
    drop(unit, nn::Use::forward);
    unit.is_loaded = false;
  }
  visited_ = nullptr;
}

void NetworkWeights::load() { load_kept(true); }

void NetworkWeights::load_first() { load_kept(false); }

void NetworkWeights::load_kept(bool streamable) {
  drop_visited();
  std::vector<Loadable*> wanted;
  for (Loadable& unit : units_) {
    unit.next = nullptr;  // `prepare` goes through them in another order
    if (!unit.is_loaded && !unit.comes_and_goes && (streamable || !unit.module->is_streamable()))
      wanted.push_back(&unit);
  }
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (i == 0) prefetch(*wanted[i], nn::Use::forward);
    const Loadable* const next = i + 1 < wanted.size() ? wanted[i + 1] : nullptr;
    read(*wanted[i], nn::Use::forward, next, /*is_sure=*/true);
    wanted[i]->is_loaded = true;
  }
}

nn::BeforeUnit NetworkWeights::for_prepare() {
  return [this](const nn::Module& unit) { visit(unit, nn::Use::prepare); };
}

nn::BeforeUnit NetworkWeights::for_forward() {
  return [this](const nn::Module& unit) { visit(unit, nn::Use::forward); };
}

void NetworkWeights::visit(const nn::Module& module, nn::Use use) {
  between_();
  const auto found = index_.find(&module);
  TORCH_CHECK(found != index_.end(), "a module that is no unit was visited");
  Loadable& unit = units_[found->second];
  if (use == nn::Use::forward && unit.is_loaded) return;
  if (visited_ == &unit && visited_for_ == use) return;
  if (visited_ != nullptr && (use == nn::Use::prepare || unit.comes_and_goes))
    visited_->next = &unit;
  drop_visited();
  try {
    read(unit, use, expected_after(unit, use), /*is_sure=*/unit.next != nullptr);
  } catch (...) {
    drop(unit, use);  // half of it is there
    throw;
  }
  if (use == nn::Use::forward && !unit.comes_and_goes) {
    unit.is_loaded = true;
    return;
  }
  visited_ = &unit;
  visited_for_ = use;
}

/// The unit whose turn came next the time before; in a first forward pass, the next declared, which
/// in a block with attention comes soon, not at once.
const NetworkWeights::Loadable* NetworkWeights::expected_after(const Loadable& unit,
                                                               nn::Use use) const {
  if (unit.next != nullptr) return unit.next;
  const std::size_t next = static_cast<std::size_t>(&unit - units_.data()) + 1;
  const bool is_missing = next < units_.size() && !units_[next].is_loaded;
  return use == nn::Use::forward && is_missing ? &units_[next] : nullptr;
}

void NetworkWeights::prefetch(const Loadable& unit, nn::Use use) const {
  for (const nn::Parameter& parameter : unit.parameters) {
    if (parameter.use == use) source_.checkpoint.prefetch(source_.part, parameter.name);
  }
}

void NetworkWeights::drop_visited() {
  if (visited_ != nullptr) drop(*visited_, visited_for_);
  visited_ = nullptr;
}

at::Tensor NetworkWeights::read_one(const nn::Parameter& parameter, nn::Use use) const {
  const at::Tensor stored = source_.checkpoint.read(source_.part, parameter.name, source_.dtype);
  TORCH_CHECK(stored.sizes() == parameter.shape, parameter.name, ": expected shape ",
              at::IntArrayRef(parameter.shape), ", got ", stored.sizes());
  // What the CPU's library packs need not be brought into another order first.
  const bool is_packed = form_ == Form::folded && ops::can_pack(source_.device, source_.dtype);
  at::Tensor ready = parameter.kernel && !is_packed ? channels_last_kernel(stored) : stored;
  // Products in the maths library round by how their weights are aligned, and files differ in
  // that.
  const bool is_multiplied_as_stored = use == nn::Use::prepare || form_ == Form::published;
  if (source_.device.is_cpu() && is_multiplied_as_stored && !is_aligned(ready))
    ready = ready.clone();
  if (!ready.is_alias_of(stored)) release_pages(parameter);
  return ready;
}

std::vector<at::Tensor> NetworkWeights::stage(const Loadable& unit) const {
  const c10::InferenceMode inference;
  std::vector<at::Tensor> tensors;
  for (const nn::Parameter& parameter : unit.parameters) {
    if (parameter.use != nn::Use::forward) continue;
    const at::Tensor host = read_one(parameter, parameter.use);
    tensors.push_back(source_.device.is_cpu() ? host : host.pin_memory());
    if (!tensors.back().is_alias_of(host)) release_pages(parameter);
  }
  return tensors;
}

void NetworkWeights::prepare_next(const Loadable* next, nn::Use use, bool is_sure) {
  if (next == nullptr) return;
  if (source_.reads_ahead && use == nn::Use::forward && is_sure)
    ahead_ = {next, std::async(std::launch::async, [this, next] { return stage(*next); })};
  else
    prefetch(*next, use);
}

void NetworkWeights::read(const Loadable& unit, nn::Use use, const Loadable* next, bool is_sure) {
  Ahead ahead = std::exchange(ahead_, {});
  std::vector<at::Tensor> staged;
  if (use == nn::Use::forward && ahead.unit == &unit) staged = ahead.tensors.get();
  prepare_next(next, use, is_sure);
  std::size_t taken = 0;
  for (const nn::Parameter& parameter : unit.parameters) {
    if (parameter.use != use) continue;
    between_();
    const bool is_staged = taken < staged.size();
    const at::Tensor host = is_staged ? std::move(staged[taken++]) : read_one(parameter, use);
    *parameter.tensor = host.to(source_.device, host.scalar_type(), /*non_blocking=*/is_staged);
    if (!parameter.tensor->is_alias_of(host)) release_pages(parameter);
  }
  if (use != nn::Use::forward || form_ == Form::published) return;
  unit.module->fold();
  for (const nn::Parameter& parameter : unit.parameters) {
    if (parameter.use == use && !parameter.tensor->defined()) release_pages(parameter);
  }
}

void NetworkWeights::drop(const Loadable& unit, nn::Use use) const {
  // What `prepare` read goes by itself: the rest of the unit may have been loaded for good.
  if (use == nn::Use::forward) unit.module->release();
  for (const nn::Parameter& parameter : unit.parameters) {
    if (use == nn::Use::prepare && parameter.use != use) continue;
    parameter.tensor->reset();
    release_pages(parameter);
  }
}

void NetworkWeights::release_pages(const nn::Parameter& parameter) const {
  source_.checkpoint.release(source_.part, parameter.name);
}

}  // namespace svd::pipeline
