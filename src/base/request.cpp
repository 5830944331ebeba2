#include "svd/request.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/json.h"
#include "svd/error.h"

namespace svd {
namespace {

constexpr int kSmallestSide = 64;
constexpr int kLargestSide = 4096;
constexpr std::int64_t kLeastMemory = std::int64_t{64} << 20;

[[noreturn]] void refuse(const std::string& message, const std::string& hint = {}) {
  throw Error(ErrorKind::usage, message, hint);
}

/// Refuses NaN too: it is in no range.
template <typename T>
void check_range(const char* flag, const std::optional<T>& value, T lowest, T highest,
                 const char* hint = "") {
  if (!value || (*value >= lowest && *value <= highest)) return;
  refuse(fmt::format("{} {} is out of range: {} to {} is accepted", flag, *value, lowest, highest),
         hint);
}

int nearest_side(int side) {
  const long rounded = std::lround(static_cast<double>(side) / kSizeMultiple) * kSizeMultiple;
  return static_cast<int>(std::clamp<long>(rounded, kSmallestSide, kLargestSide));
}

/// The valid side below (or above) that is not the nearest one, for the second suggestion.
int other_side(int side) {
  const int nearest = nearest_side(side);
  if (nearest == side) return side;
  return std::clamp(nearest > side ? nearest - kSizeMultiple : nearest + kSizeMultiple,
                    kSmallestSide, kLargestSide);
}

void check_size(const RequestOptions& options) {
  if (!options.width && !options.height) return;
  if (!options.width || !options.height) refuse("--size needs both sides, as in --size 1024x576");
  const int width = *options.width;
  const int height = *options.height;
  const auto valid = [](int side) {
    return side >= kSmallestSide && side <= kLargestSide && side % kSizeMultiple == 0;
  };
  if (valid(width) && valid(height)) return;
  std::string nearest = fmt::format("{}x{}", nearest_side(width), nearest_side(height));
  const std::string other = fmt::format("{}x{}", other_side(width), other_side(height));
  if (other != nearest) nearest += " or " + other;
  refuse(
      fmt::format("--size {}x{} is not possible: both sides must be multiples of {} from {} to {}",
                  width, height, kSizeMultiple, kSmallestSide, kLargestSide),
      "the nearest sizes are " + nearest);
}

void check_device(const std::optional<std::string>& device) {
  if (!device || *device == "auto" || *device == "cpu" || *device == "cuda") return;
  constexpr std::string_view kPrefix = "cuda:";
  const std::string_view text = *device;
  if (text.substr(0, kPrefix.size()) == kPrefix) {
    const std::string_view number = text.substr(kPrefix.size());
    int ordinal = -1;
    const auto [end, status] =
        std::from_chars(number.data(), number.data() + number.size(), ordinal);
    const bool whole = end == number.data() + number.size() && status == std::errc();
    // c10 numbers devices with a signed byte.
    if (whole && ordinal >= 0 && ordinal <= 127 && number.front() != '-') return;
  }
  refuse(
      fmt::format("--device '{}' is not a device: auto, cpu, cuda or cuda:N is accepted", *device));
}

void check_latents(const RequestOptions& options) {
  if (options.save_latents && options.save_latents->empty())
    refuse("--save-latents needs the name of a file");
  if (options.init_latents && options.init_latents->empty())
    refuse("--init-latents needs the name of a file");
}

}  // namespace

const char* to_string(Fit fit) {
  switch (fit) {
    case Fit::crop:
      return "crop";
    case Fit::pad:
      return "pad";
    case Fit::stretch:
      return "stretch";
  }
  return "unknown";
}

const char* to_string(Dtype dtype) {
  switch (dtype) {
    case Dtype::automatic:
      return "auto";
    case Dtype::float32:
      return "float32";
    case Dtype::bfloat16:
      return "bfloat16";
    case Dtype::float16:
      return "float16";
  }
  return "unknown";
}

const char* to_string(Profile profile) {
  switch (profile) {
    case Profile::reference:
      return "reference";
    case Profile::diffusers:
      return "diffusers";
  }
  return "unknown";
}

void validate(const RequestOptions& options) {
  check_range("--frames", options.frames, 1, 1000);
  check_range("--fps", options.fps, 0.01, 1000.0);
  check_range("--condition-fps", options.condition_fps, 0.0, 1000.0);
  check_range("--steps", options.steps, 1, 1000);
  check_range("--motion-bucket-id", options.motion_bucket_id, 0.0, 1023.0,
              "the models were trained on 1 to 255");
  check_range("--noise-aug-strength", options.noise_aug_strength, 0.0, 10.0,
              "the models were published with 0.02");
  check_range("--min-guidance", options.min_guidance, 0.0, 100.0);
  check_range("--max-guidance", options.max_guidance, 0.0, 100.0);
  check_size(options);
  check_device(options.device);
  check_range("--threads", options.threads, 1, 1024);
  check_range("--decode-chunk", options.decode_chunk, 1, 1000);
  if (options.memory_bytes && *options.memory_bytes < kLeastMemory)
    throw Error(ErrorKind::usage,
                fmt::format("--memory {} is out of range: 64M and more", *options.memory_bytes),
                "numbers without a unit are bytes; 8G are 8 GiB");
  check_latents(options);
}

std::string to_json(const Request& request) {
  const nlohmann::ordered_json json = {
      {"frames", request.frames},
      {"fps", request.fps},
      {"condition_fps", request.condition_fps},
      {"steps", request.steps},
      {"seed", request.seed},
      {"motion_bucket_id", request.motion_bucket_id},
      {"noise_aug_strength", request.noise_aug_strength},
      {"min_guidance", request.min_guidance},
      {"max_guidance", request.max_guidance},
      {"width", request.width},
      {"height", request.height},
      {"fit", to_string(request.fit)},
      {"dtype", to_string(request.dtype)},
      {"vae_dtype", to_string(request.vae_dtype)},
      {"device", request.device},
      {"threads", request.threads},
      {"memory_bytes", or_null(request.memory_bytes)},
      {"decode_chunk", request.decode_chunk},
      {"profile", to_string(request.profile)},
      {"save_latents", or_null(request.save_latents)},
      {"init_latents", or_null(request.init_latents)},
  };
  return one_line(json);
}

}  // namespace svd
