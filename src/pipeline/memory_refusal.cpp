#include "pipeline/memory_refusal.h"

#include <c10/core/Device.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "svd/error.h"

namespace svd::pipeline {
namespace {

std::string amount(std::int64_t bytes) {
  constexpr double kMebi = 1 << 20, kGibi = 1 << 30;
  const double count = static_cast<double>(bytes);
  return count < 10 * kGibi ? fmt::format("{:.0f} MiB", std::ceil(count / kMebi))
                            : fmt::format("{:.1f} GiB", count / kGibi);
}

/// One way to need less.
struct Change {
  std::string option;
  Request request;
};

using Fits = std::function<bool(const Request&)>;

/// The largest picture of about the same shape that fits.
std::optional<Change> with_smaller_picture(const Change& change, int multiple, const Fits& fits) {
  const Request& whole = change.request;
  const bool is_wide = whole.width >= whole.height;
  const int longer = is_wide ? whole.width : whole.height;
  const int shorter = is_wide ? whole.height : whole.width;
  Request smaller = whole;
  for (int side = longer - multiple; side >= multiple; side -= multiple) {
    const double exact = static_cast<double>(shorter) * side / longer / multiple;
    const int other = std::max(1, static_cast<int>(std::lround(exact))) * multiple;
    smaller.width = is_wide ? side : other;
    smaller.height = is_wide ? other : side;
    if (fits(smaller))
      return Change{change.option + fmt::format("--size {}x{}", smaller.width, smaller.height),
                    smaller};
  }
  return std::nullopt;
}

/// The longest clip that fits, if it is no less than half as long.
std::optional<Change> with_fewer_frames(const Request& request, const Fits& fits) {
  Change change{"", request};
  for (int frames = request.frames - 1; frames >= std::max(1, request.frames / 2); --frames) {
    change.request.frames = frames;
    change.request.decode_chunk = std::min(request.decode_chunk, frames);
    if (!fits(change.request)) continue;
    change.option = fmt::format("--frames {}", frames);
    return change;
  }
  return std::nullopt;
}

/// Options that are enough, each by itself, the gentlest first; where hardly any is, several
/// together.
std::vector<std::string> options_that_fit(const Request& request, int multiple, const Fits& fits) {
  std::vector<Change> single;
  const auto change = [&](Change& to, const std::string& option, auto member, auto value) {
    to.option += option + " ";
    to.request.*member = value;
  };
  Change all{"", request};
  const auto consider = [&](const std::string& option, auto member, auto value) {
    single.push_back({"", request});
    change(single.back(), option, member, value);
    change(all, option, member, value);
  };
  if (request.vae_dtype == Dtype::float32)
    consider("--vae-dtype bfloat16", &Request::vae_dtype, Dtype::bfloat16);
  if (request.dtype == Dtype::float32)
    consider("--dtype bfloat16", &Request::dtype, Dtype::bfloat16);
  int chunk = request.decode_chunk;
  Change with_chunk{"", request};
  while (chunk > 1 && !fits(with_chunk.request))
    with_chunk.request.decode_chunk = chunk = chunk / 2;
  if (request.decode_chunk > 1)
    consider(fmt::format("--decode-chunk {}", chunk), &Request::decode_chunk, chunk);

  std::vector<std::string> options;
  const auto keep = [&](const Change& candidate) {
    if (fits(candidate.request))
      options.push_back(candidate.option.substr(0, candidate.option.find_last_not_of(' ') + 1));
  };
  for (const Change& candidate : single) keep(candidate);
  if (options.empty()) keep(all);
  if (const auto fewer = with_fewer_frames(request, fits)) keep(*fewer);
  const auto smaller = with_smaller_picture({"", request}, multiple, fits);
  if (smaller) keep(*smaller);
  if (options.size() <= 1 && !all.option.empty()) {
    const auto pixels = [](const Request& r) { return std::int64_t{r.width} * r.height; };
    const auto larger = with_smaller_picture(all, multiple, fits);
    if (larger && (!smaller || pixels(larger->request) > pixels(smaller->request))) keep(*larger);
  }
  return options;
}

bool is_own_limit(const Request& request, const MemoryPlan& least) {
  return request.memory_bytes && least.limit_bytes >= *request.memory_bytes;
}

}  // namespace

std::string describe_shortage(const Request& request, const MemoryPlan& least) {
  const auto fullest =
      std::max_element(least.stages.begin(), least.stages.end(),
                       [](const auto& a, const auto& b) { return a.bytes() < b.bytes(); });
  const bool on_gpu = !c10::Device(request.device).is_cpu();
  const std::string where = is_own_limit(request, least)
                                ? fmt::format("--memory allows {}", amount(least.limit_bytes))
                                : fmt::format("{} {} free", amount(least.limit_bytes),
                                              on_gpu ? "of the GPU's memory is" : "of memory is");
  return fmt::format("not enough memory: {} needs {} at the least, {}",
                     fullest->stage == Stage::decode      ? "decoding"
                     : fullest->stage == Stage::condition ? "reading the picture"
                                                          : "sampling",
                     amount(least.peak_bytes()), where);
}

void refuse(const Request& request, int size_multiple, const MemoryPlan& least,
            const std::function<std::int64_t(const Request&)>& peak_of) {
  const Fits fits = [&](const Request& changed) { return peak_of(changed) <= least.limit_bytes; };
  const std::vector<std::string> options = options_that_fit(request, size_multiple, fits);
  std::string hint = options.empty() ? std::string("no smaller setting of this clip fits either")
                                     : fmt::format("any of these fits, with other pixels: {}",
                                                   fmt::join(options, "; "));
  if (is_own_limit(request, least)) {
    // The program's own size varies a little from run to run.
    constexpr std::int64_t kMargin = std::int64_t{16} << 20;
    hint +=
        fmt::format(". The clip as it is fits --memory {}M", (least.peak_bytes() + kMargin) >> 20);
  } else if (c10::Device(request.device).is_cpu()) {
    hint += ". --memory N plans with N instead of what is free";
  }
  throw Error(ErrorKind::device, describe_shortage(request, least), hint);
}

}  // namespace svd::pipeline
