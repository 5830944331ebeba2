#include "cli/bench.h"

#include <fmt/core.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "cli/bench_report.h"
#include "cli/conv_ceiling.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "pipeline/device.h"
#include "pipeline/savings.h"
#include "svd/error.h"
#include "svd/generator.h"
#ifdef SVD_HAVE_MEDIA
#include "media/fit.h"
#include "media/frame_writer.h"
#include "media/image_reader.h"
#endif

namespace svd::cli {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kDefaultSteps = 4;
constexpr std::uint64_t kDefaultSeed = 0;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// A folder that goes away with everything in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "svd-gen-bench-XXXXXX").string();
    if (!mkdtemp(name.data()))
      throw Error(ErrorKind::output, fmt::format("no folder can be made like {}", name),
                  "TMPDIR names another place");
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// Hands frames on and adds up how long that takes; without a sink it drops them.
class TimedSink : public FrameSink {
 public:
  explicit TimedSink(std::unique_ptr<FrameSink> sink) : sink_(std::move(sink)) {}

  void write(std::span<const std::uint8_t> rgb) override {
    timed([&] { sink_->write(rgb); });
  }
  void finish() override {
    timed([&] { sink_->finish(); });
    start_to_finish_ = seconds_since_process_start();
  }

  std::optional<double> seconds() const { return sink_ ? std::optional(seconds_) : std::nullopt; }
  double start_to_finish() const { return start_to_finish_; }

 private:
  template <class Body>
  void timed(const Body& body) {
    if (!sink_) return;
    const Clock::time_point begin = Clock::now();
    body();
    seconds_ += seconds_since(begin);
  }

  std::unique_ptr<FrameSink> sink_;
  double seconds_ = 0;
  double start_to_finish_ = 0;
};

/// Smooth colours under a fine pattern: what a photograph asks of the networks and the encoder.
Image drawn_picture(int width, int height) {
  Image image{width, height, {}};
  image.rgb.reserve(std::size_t(width) * std::size_t(height) * 3);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const int pattern = (x ^ y) % 64;
      image.rgb.push_back(static_cast<std::uint8_t>(191 * x / width + pattern));
      image.rgb.push_back(static_cast<std::uint8_t>(191 * y / height + pattern));
      image.rgb.push_back(static_cast<std::uint8_t>(191 - 191 * x / width + pattern));
    }
  }
  return image;
}

#ifdef SVD_HAVE_MEDIA
Image read_picture(const std::string& path) { return media::read_image(path); }

InputImages fitted(const Image& picture, const Request& request) {
  return media::fit_image(picture, request.width, request.height, request.fit);
}

std::unique_ptr<FrameSink> open_sink(const TemporaryFolder& folder, const Request& request) {
  media::OutputOptions output;
  output.path = folder.path() / "clip.mp4";
  output.width = request.width;
  output.height = request.height;
  output.fps = request.fps;
  output.frames = request.frames;
  return media::open_output(output);
}
#else
Image read_picture(const std::string& path) {
  throw Error(ErrorKind::usage,
              fmt::format("--image {}: this build of svd-gen reads no pictures", path),
              "leave it out: a picture is drawn then");
}

InputImages fitted(const Image& picture, const Request&) { return {picture, picture}; }

std::unique_ptr<FrameSink> open_sink(const TemporaryFolder&, const Request&) { return nullptr; }
#endif

/// One, if that leaves a step to count.
int warmup_steps(const BenchOptions& options) {
  return options.warmup_steps.value_or(options.request.steps == 1 ? 0 : 1);
}

void check_usage(const BenchOptions& options) {
  validate(options.request);
  const int steps = options.request.steps.value_or(kDefaultSteps);
  const int warmup = warmup_steps(options);
  if (warmup < 0 || warmup >= steps)
    throw Error(ErrorKind::usage,
                fmt::format("--warmup-steps {} is out of range: 0 to {}, one less "
                            "than --steps",
                            warmup, steps - 1));
  if (options.image == "-" && isatty(STDIN_FILENO))
    throw Error(ErrorKind::usage, "--image - reads standard input, which is a terminal");
  const auto& save = options.request.save_latents;
  std::error_code ignored;
  if (save && fs::exists(*save, ignored))
    throw Error(ErrorKind::output, fmt::format("--save-latents {} exists already", *save));
}

Request resolve(const Generator& generator, const BenchOptions& options, const Image& picture,
                Console& console) {
  RequestOptions request = options.request;
  if (!request.steps) request.steps = kDefaultSteps;
  if (!request.seed) request.seed = kDefaultSeed;
  std::vector<std::string> warnings;
  Request resolved = generator.resolve(request, picture.width, picture.height, &warnings);
  for (const std::string& warning : warnings) console.debug(warning);
  return resolved;
}

OperationReport operation_report(const OperationProfile& profile, const Request& request) {
  return {profile.rows(), profile.seconds(),
          conv_ceiling_gflops(pipeline::scalar_type(request.dtype), c10::Device(request.device))};
}

}  // namespace

void bench(const BenchOptions& options, bool json, Console& console, SignalWatcher& signals,
           std::ostream& out) {
  check_usage(options);
  pipeline::leave_out_savings(options.without);
  Image picture;
  if (options.image) picture = read_picture(*options.image);
  const Clock::time_point begin = Clock::now();
  ModelOptions model{options.model, {}, options.request.frames, options.loras};
  if (options.models_dir) model.models_dir = *options.models_dir;
  Generator generator(model);
  BenchReport report;
  report.open_seconds = seconds_since(begin);
  report.image = options.image;
  report.model = generator.model().name;
  report.model_path = generator.model().path.string();
  report.warmup_steps = warmup_steps(options);
  report.without = options.without;
  report.request = resolve(generator, options, picture, console);
  const Request& request = report.request;
  if (!options.image) picture = drawn_picture(request.width, request.height);

  const c10::Device device(request.device);
  const std::stop_token stop =
      signals.begin([&console] { console.info("stopping ... (again to force)"); });
  Progress progress(console);
  OperationProfile profile;
  BenchRecorder recorder(progress, device, report.warmup_steps,
                         options.profile_operations ? &profile : nullptr);
  const TemporaryFolder folder;
  TimedSink sink(open_sink(folder, request));
  generator.run(request, fitted(picture, request), sink, recorder, stop);

  report.device = pipeline::describe(device);
  report.attention = pipeline::attention_backend(device, pipeline::scalar_type(request.dtype));
  report.stages = recorder.stages();
  report.steps = recorder.steps();
  report.encode_seconds = sink.seconds();
  report.start_to_first_step = recorder.start_to_first_step();
  report.start_to_file = sink.start_to_finish();
  report.peak_rss_bytes = recorder.peak_rss_bytes();
  if (device.is_cuda()) report.peak_device_bytes = pipeline::peak_device_bytes(device);
  if (options.profile_operations) report.operations = operation_report(profile, request);
  out << (json ? dump(to_json(report)) + "\n" : bench_text(report));
}

}  // namespace svd::cli
