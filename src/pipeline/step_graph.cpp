#include "pipeline/step_graph.h"

#include <ATen/ops/empty_like.h>
#include <c10/util/Exception.h>

#include <string>
#include <utility>

#include "pipeline/cuda_module.h"
#include "svd/error.h"

namespace svd::pipeline {
namespace {

class CudaRecording final : public Recording {
 public:
  CudaRecording(const SvdCudaTable& table, int ordinal) : table_(table), ordinal_(ordinal) {}
  ~CudaRecording() override { table_.graph_destroy(graph_); }

  void record(const std::function<void()>& body) override {
    check(table_.graph_begin(ordinal_, &graph_));
    try {
      body();
    } catch (...) {
      table_.graph_end(graph_);
      forget();
      throw;
    }
    check(table_.graph_end(graph_));
  }

  void replay() override { check(table_.graph_replay(graph_)); }

 private:
  void forget() {
    table_.graph_destroy(graph_);
    graph_ = nullptr;
  }

  void check(int error) {
    if (error == 0) return;
    forget();
    throw Error(ErrorKind::device,
                std::string("a step cannot be recorded: ") + table_.error_text(error));
  }

  const SvdCudaTable& table_;
  int ordinal_;
  SvdCudaGraph* graph_ = nullptr;
};

/// The tensors of a recording, and how far it is.
struct Replay {
  GuidedStep step;
  std::shared_ptr<Recording> recording;
  std::function<void()> before_recording;
  enum class State { fresh, computed, recorded, impossible } state = State::fresh;
  Tensor x, number, result;

  void record(const Tensor& next_x, const Tensor& next_number) {
    before_recording();
    x = next_x.clone();
    number = next_number.clone();
    result = at::empty_like(x);
    recording->record([this] { result.copy_(step(x, number)); });
    state = State::recorded;
  }

  // False if it turns out to be impossible.
  bool try_to_record(const Tensor& next_x, const Tensor& next_number) {
    try {
      record(next_x, next_number);
      return true;
    } catch (const c10::Error&) {
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::device) throw;
    }
    state = State::impossible;
    x = number = result = Tensor();
    return false;
  }

  Tensor operator()(const Tensor& next_x, const Tensor& next_number) {
    if (state == State::computed) {
      if (!try_to_record(next_x, next_number)) return step(next_x, next_number);
    } else if (state == State::recorded) {
      x.copy_(next_x);
      number.copy_(next_number);
    } else {
      if (state == State::fresh) state = State::computed;
      return step(next_x, next_number);
    }
    recording->replay();
    return result.clone();
  }
};

}  // namespace

std::unique_ptr<Recording> cuda_recording(const c10::Device& device) {
  return std::make_unique<CudaRecording>(load_cuda_module(), device.index());
}

GuidedStep replayed(GuidedStep step, std::shared_ptr<Recording> recording,
                    std::function<void()> before_recording) {
  const auto replay = std::make_shared<Replay>();
  replay->step = std::move(step);
  replay->recording = std::move(recording);
  replay->before_recording = std::move(before_recording);
  return [replay](const Tensor& x, const Tensor& number) { return (*replay)(x, number); };
}

}  // namespace svd::pipeline
