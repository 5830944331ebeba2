#include "cli/values.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <sstream>
#include <system_error>

#include "base/suggest.h"
#include "svd/error.h"

namespace svd::cli {
namespace {

[[noreturn]] void refuse(const std::string& flag, const std::string& text, const char* expected,
                         const std::string& hint = {}) {
  throw Error(ErrorKind::usage, fmt::format("{} '{}' is not {}", flag, text, expected), hint);
}

template <typename T>
T parse_number(const std::string& flag, const std::string& text, const char* expected) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [stop, status] = std::from_chars(text.data(), end, value);
  if (stop != end || text.empty() || status == std::errc::invalid_argument)
    refuse(flag, text, expected);
  if (status == std::errc::result_out_of_range)
    throw Error(ErrorKind::usage, fmt::format("{} {} is out of range", flag, text));
  return value;
}

const char* to_string(ProgressMode mode) {
  switch (mode) {
    case ProgressMode::automatic:
      return "auto";
    case ProgressMode::bar:
      return "bar";
    case ProgressMode::plain:
      return "plain";
    case ProgressMode::json:
      return "json";
    case ProgressMode::none:
      return "none";
  }
  return "unknown";
}

const char* to_string(ColorMode mode) {
  switch (mode) {
    case ColorMode::automatic:
      return "auto";
    case ColorMode::always:
      return "always";
    case ColorMode::never:
      return "never";
  }
  return "unknown";
}

template <typename T>
T parse_choice(const std::string& flag, const std::string& text,
               std::initializer_list<T> accepted) {
  std::vector<std::string> names;
  for (const T value : accepted) {
    if (text == to_string(value)) return value;
    names.emplace_back(to_string(value));
  }
  const std::string expected = fmt::format("one of {}", fmt::join(names, ", "));
  refuse(flag, text, expected.c_str(), did_you_mean(text, names));
}

}  // namespace

int parse_int(const std::string& flag, const std::string& text) {
  return parse_number<int>(flag, text, "a whole number");
}

std::uint64_t parse_uint64(const std::string& flag, const std::string& text) {
  return parse_number<std::uint64_t>(flag, text, "a whole number from 0 to 18446744073709551615");
}

double parse_double(const std::string& flag, const std::string& text) {
  const double value = parse_number<double>(flag, text, "a number");
  if (!std::isfinite(value)) refuse(flag, text, "a finite number");
  return value;
}

std::int64_t parse_bytes(const std::string& flag, const std::string& text) {
  constexpr const char* kExpected = "an amount of memory like 8G or 1500M";
  const std::size_t digits = text.find_first_not_of("0123456789.");
  const std::string number = text.substr(0, digits);
  std::string unit = digits == std::string::npos ? "" : text.substr(digits);
  for (char& letter : unit)
    letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  constexpr std::pair<const char*, int> kUnits[] = {
      {"", 0},     {"b", 0},  {"k", 10},  {"kb", 10},  {"kib", 10}, {"m", 20},  {"mb", 20},
      {"mib", 20}, {"g", 30}, {"gb", 30}, {"gib", 30}, {"t", 40},   {"tb", 40}, {"tib", 40}};
  const auto known = std::find_if(std::begin(kUnits), std::end(kUnits),
                                  [&](const auto& candidate) { return unit == candidate.first; });
  if (number.empty() || known == std::end(kUnits)) refuse(flag, text, kExpected);
  const double bytes = std::ldexp(parse_number<double>(flag, number, kExpected), known->second);
  if (!(bytes < std::ldexp(1.0, 62)))
    throw Error(ErrorKind::usage, fmt::format("{} {} is out of range", flag, text));
  return static_cast<std::int64_t>(bytes);
}

std::vector<std::string> split_names(const std::string& text) {
  std::vector<std::string> names;
  std::istringstream list(text);
  for (std::string name; std::getline(list, name, ',');) names.push_back(name);
  return names;
}

std::pair<int, int> parse_size(const std::string& flag, const std::string& text) {
  const std::size_t cross = text.find('x');
  int width = 0;
  int height = 0;
  const auto whole = [&](std::size_t begin, std::size_t end, int& value) {
    const auto [stop, status] = std::from_chars(text.data() + begin, text.data() + end, value);
    return stop == text.data() + end && begin != end && status == std::errc();
  };
  if (cross == std::string::npos || !whole(0, cross, width) ||
      !whole(cross + 1, text.size(), height))
    refuse(flag, text, "a size in pixels like 1024x576");
  return {width, height};
}

Fit parse_fit(const std::string& flag, const std::string& text) {
  return parse_choice(flag, text, {Fit::crop, Fit::pad, Fit::stretch});
}

Dtype parse_dtype(const std::string& flag, const std::string& text) {
  // As other tools call them; the names here are torch's.
  constexpr std::pair<const char*, const char*> kElsewhere[] = {
      {"fp32", "float32"}, {"fp16", "float16"}, {"half", "float16"}, {"bf16", "bfloat16"}};
  for (const auto& [theirs, ours] : kElsewhere) {
    if (text == theirs)
      refuse(flag, text, "the name of a number format", fmt::format("did you mean {}?", ours));
  }
  return parse_choice(flag, text,
                      {Dtype::automatic, Dtype::float32, Dtype::bfloat16, Dtype::float16});
}

Profile parse_profile(const std::string& flag, const std::string& text) {
  return parse_choice(flag, text, {Profile::reference, Profile::diffusers});
}

Loop parse_loop(const std::string& flag, const std::string& text) {
  return parse_choice(flag, text, {Loop::forward, Loop::bounce});
}

ProgressMode parse_progress(const std::string& flag, const std::string& text) {
  return parse_choice(flag, text,
                      {ProgressMode::automatic, ProgressMode::bar, ProgressMode::plain,
                       ProgressMode::json, ProgressMode::none});
}

ColorMode parse_color(const std::string& flag, const std::string& text) {
  return parse_choice(flag, text, {ColorMode::automatic, ColorMode::always, ColorMode::never});
}

std::int64_t parse_pixels(const std::string& flag, const std::string& text) {
  constexpr std::uint64_t kLeast = 16, kMost = 0x7fffffff;
  const std::uint64_t pixels = parse_uint64(flag, text);
  if (pixels < kLeast || pixels > kMost)
    throw Error(ErrorKind::usage, fmt::format("{} {} is out of range: {} to {} is accepted", flag,
                                              text, kLeast, kMost));
  return static_cast<std::int64_t>(pixels);
}

}  // namespace svd::cli
