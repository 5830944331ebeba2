#include "cli/operation_profile.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/function_schema.h>
#include <ATen/record_function.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include "cli/operation_cost.h"

namespace svd::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

/// Distinct tensors among arguments and results, and their bytes.
class TensorSizes {
 public:
  void add(const c10::IValue& value) {
    if (value.isTensor()) {
      add(value.toTensor());
    } else if (value.isTensorList()) {
      for (const at::Tensor& tensor : value.toTensorVector()) add(tensor);
    }
  }
  double bytes() const { return bytes_; }

 private:
  void add(const at::Tensor& tensor) {
    if (!tensor.defined() || !seen_.insert(tensor.unsafeGetTensorImpl()).second) return;
    double size = static_cast<double>(tensor.numel()) * static_cast<double>(tensor.element_size());
    // An expanded tensor has more elements than memory.
    if (tensor.has_storage()) size = std::min(size, static_cast<double>(tensor.storage().nbytes()));
    bytes_ += size;
  }

  std::set<const void*> seen_;
  double bytes_ = 0;
};

Shape shape_of(const c10::IValue& value) {
  if (!value.isTensor() || !value.toTensor().defined()) return {};
  return value.toTensor().sizes().vec();
}

/// Whether the operator touches no data: a view of its argument, or memory without content.
bool moves_nothing(const at::RecordFunction& function) {
  if (std::string_view(function.name()).starts_with("aten::empty")) return true;
  const auto schema = function.operator_schema();
  if (!schema || schema->returns().empty()) return false;
  const c10::AliasInfo* alias = schema->returns()[0].alias_info();
  return alias && !alias->isWrite();
}

/// A call that is under way.
struct Frame : at::ObserverContext {
  Frame* caller = nullptr;
  Clock::time_point begin;
  double callees_seconds = 0;
  bool callees_have_flops = false;
  bool callees_have_bytes = false;
  std::vector<Shape> inputs;
  TensorSizes sizes;
};

}  // namespace

struct OperationProfile::State {
  at::CallbackHandle handle = at::INVALID_CALLBACK_HANDLE;
  Frame* innermost = nullptr;
  std::map<std::string, OperationRow> rows;
  std::map<std::string, bool> moves_nothing;
  Clock::time_point begin;
  double seconds = 0;

  static thread_local State* recording;
  static std::unique_ptr<at::ObserverContext> on_begin(const at::RecordFunction& function);
  static void on_end(const at::RecordFunction& function, at::ObserverContext* context);
  void count(const at::RecordFunction& function, Frame& frame, OperationRow& row);
};

thread_local OperationProfile::State* OperationProfile::State::recording = nullptr;

std::unique_ptr<at::ObserverContext> OperationProfile::State::on_begin(
    const at::RecordFunction& function) {
  auto frame = std::make_unique<Frame>();
  for (const c10::IValue& value : function.inputs()) {
    frame->inputs.push_back(shape_of(value));
    frame->sizes.add(value);
  }
  frame->caller = recording->innermost;
  recording->innermost = frame.get();
  frame->begin = Clock::now();
  return frame;
}

void OperationProfile::State::on_end(const at::RecordFunction& function,
                                     at::ObserverContext* context) {
  const Clock::time_point now = Clock::now();
  Frame& frame = static_cast<Frame&>(*context);
  const double seconds = seconds_between(frame.begin, now);
  OperationRow& row = recording->rows[function.name()];
  ++row.calls;
  row.seconds += seconds - frame.callees_seconds;
  recording->count(function, frame, row);
  recording->innermost = frame.caller;
  if (frame.caller) {
    frame.caller->callees_seconds += seconds;
    frame.caller->callees_have_flops |= frame.callees_have_flops;
    frame.caller->callees_have_bytes |= frame.callees_have_bytes;
  }
}

void OperationProfile::State::count(const at::RecordFunction& function, Frame& frame,
                                    OperationRow& row) {
  const auto& outputs = function.outputs();
  double flops = 0;
  if (!frame.callees_have_flops && !outputs.empty())
    flops = count_flops(function.name(), function.overload_name(), frame.inputs,
                        shape_of(outputs.front()));
  row.flops += flops;
  frame.callees_have_flops |= flops > 0;
  // A product reads its operands even where it had one of them copied first.
  if (flops == 0 && frame.callees_have_bytes) return;
  const auto known = moves_nothing.try_emplace(function.name(), false);
  if (known.second) known.first->second = svd::cli::moves_nothing(function);
  if (known.first->second) return;
  for (const c10::IValue& value : outputs) frame.sizes.add(value);
  row.bytes += frame.sizes.bytes();
  frame.callees_have_bytes = true;
}

OperationProfile::OperationProfile() : state_(std::make_unique<State>()) {}

OperationProfile::~OperationProfile() { stop(); }

void OperationProfile::start() {
  TORCH_CHECK(!State::recording, "another profile records in this thread");
  State::recording = state_.get();
  state_->begin = Clock::now();
  state_->handle =
      at::addThreadLocalCallback(at::RecordFunctionCallback(&State::on_begin, &State::on_end)
                                     .needsInputs(true)
                                     .needsOutputs(true)
                                     .scopes({at::RecordScope::FUNCTION}));
}

void OperationProfile::stop() {
  if (state_->handle == at::INVALID_CALLBACK_HANDLE) return;
  state_->seconds += seconds_between(state_->begin, Clock::now());
  at::removeCallback(state_->handle);
  state_->handle = at::INVALID_CALLBACK_HANDLE;
  State::recording = nullptr;
}

std::vector<OperationRow> OperationProfile::rows() const {
  std::vector<OperationRow> rows;
  for (const auto& [name, row] : state_->rows) {
    rows.push_back(row);
    rows.back().name = name;
  }
  std::sort(rows.begin(), rows.end(),
            [](const OperationRow& a, const OperationRow& b) { return a.seconds > b.seconds; });
  return rows;
}

double OperationProfile::seconds() const { return state_->seconds; }

}  // namespace svd::cli
