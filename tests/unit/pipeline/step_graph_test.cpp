#include "pipeline/step_graph.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <optional>

#include "svd/error.h"

namespace svd::pipeline {
namespace {

/// Repeats a recorded body on the host: tensors are those of the recording, as on a device.
class HostRecording : public Recording {
 public:
  void record(const std::function<void()>& body) override {
    if (failure) throw Error(*failure, "cannot be recorded");
    body_ = body;
    ++records;
  }
  void replay() override {
    body_();
    ++replays;
  }
  std::optional<ErrorKind> failure;
  int records = 0, replays = 0;

 private:
  std::function<void()> body_;
};

Tensor number(std::int64_t i) { return at::full({1}, i, at::kLong); }

class ReplayedStep : public testing::Test {
 protected:
  std::shared_ptr<HostRecording> recording_ = std::make_shared<HostRecording>();
  int calls_ = 0, frees_ = 0;
  const Tensor table_ = at::tensor({1.0f, 10.0f, 100.0f, 1000.0f});
  GuidedStep step_ = replayed(
      [this](const Tensor& x, const Tensor& i) {
        ++calls_;
        return x * table_.index_select(0, i);
      },
      recording_, [this] { ++frees_; });

  float at_step(float x, std::int64_t i) {
    return step_(at::full({1, 2}, x), number(i))[0][1].item<float>();
  }
};

TEST_F(ReplayedStep, ComputesRecordsThenReplaysWithTheValuesOfEveryCall) {
  EXPECT_EQ(at_step(2, 0), 2);
  EXPECT_EQ(recording_->records, 0) << "the first call lets libraries try out";
  EXPECT_EQ(at_step(3, 1), 30);
  EXPECT_EQ(at_step(4, 2), 400);
  EXPECT_EQ(at_step(5, 3), 5000);
  EXPECT_EQ(recording_->records, 1);
  EXPECT_EQ(recording_->replays, 3);
  EXPECT_EQ(frees_, 1);
}

TEST_F(ReplayedStep, GivesResultsOfTheirOwn) {
  at_step(1, 0);
  const Tensor first = step_(at::full({1, 2}, 2.0f), number(1));
  at_step(7, 3);
  EXPECT_EQ(first[0][0].item<float>(), 20);
}

TEST_F(ReplayedStep, ComputesWhatCannotBeRecorded) {
  recording_->failure = ErrorKind::device;
  for (int i = 0; i < 4; ++i) EXPECT_EQ(at_step(2, i), 2 * table_[i].item<float>());
  EXPECT_EQ(calls_, 4);
  EXPECT_EQ(recording_->replays, 0);
}

TEST_F(ReplayedStep, LetsAnInterruptionThrough) {
  at_step(2, 0);
  recording_->failure = ErrorKind::interrupted;
  EXPECT_THROW(at_step(2, 1), Error);
}

}  // namespace
}  // namespace svd::pipeline
