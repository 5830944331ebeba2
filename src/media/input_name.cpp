#include "media/input_name.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <system_error>

#include "base/json.h"
#include "svd/error.h"

namespace svd::media {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool exists(const std::string& path) {
  std::error_code ignored;
  return path == "-" || std::filesystem::exists(path, ignored);
}

/// Digits, at most nine: no sum of such times overflows.
std::optional<std::int64_t> parse_digits(std::string_view text) {
  if (text.empty() || text.size() > 9 || !std::all_of(text.begin(), text.end(), is_digit))
    return {};
  std::int64_t value = 0;
  for (const char c : text) value = value * 10 + (c - '0');
  return value;
}

/// "12", "12.5" or ".5" in millionths; digits beyond those are dropped.
std::optional<std::int64_t> parse_millionths(std::string_view text) {
  const std::size_t point = text.find('.');
  if (point == std::string_view::npos) {
    const auto whole = parse_digits(text);
    return whole ? std::optional(*whole * 1'000'000) : std::nullopt;
  }
  std::string digits(text.substr(point + 1));
  if (digits.empty() || !std::all_of(digits.begin(), digits.end(), is_digit)) return {};
  digits.resize(6, '0');
  const auto whole = point == 0 ? 0 : parse_digits(text.substr(0, point));
  return whole ? std::optional(*whole * 1'000'000 + parse_digits(digits).value()) : std::nullopt;
}

/// "MINUTES:SECONDS" or "HOURS:MINUTES:SECONDS", all but the first below 60.
std::optional<FrameTime> parse_clock(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const auto seconds = parse_millionths(text.substr(colon + 1));
  std::string_view rest = text.substr(0, colon);
  std::optional<std::int64_t> hours = 0;
  if (const std::size_t first = rest.find(':'); first != std::string_view::npos) {
    hours = parse_digits(rest.substr(0, first));
    rest.remove_prefix(first + 1);
    if (parse_digits(rest).value_or(60) >= 60) return {};
  }
  const auto minutes = parse_digits(rest);
  if (!hours || !minutes || !seconds || *seconds >= 60'000'000) return {};
  return (*hours * 60 + *minutes) * 60'000'000 + *seconds;
}

}  // namespace

std::optional<FrameTime> parse_time(std::string_view text) {
  if (text == "end") return kLastFrame;
  if (text.find(':') != std::string_view::npos) return parse_clock(text);
  if (text.ends_with("ms")) {
    const auto value = parse_millionths(text.substr(0, text.size() - 2));
    return value ? std::optional(*value / 1000) : std::nullopt;
  }
  if (text.ends_with('s')) text.remove_suffix(1);
  return parse_millionths(text);
}

InputName parse_input_name(const std::string& input) {
  const std::size_t at = input.rfind('@');
  if (at == std::string::npos || at == 0 || exists(input)) return {input, {}};
  const std::string path = input.substr(0, at), text = input.substr(at + 1);
  const auto time = parse_time(text);
  if (!time && exists(path)) {
    throw Error(ErrorKind::usage, input + ": " + printable(text) + " is not a time",
                "times are 12.5s, 750ms, 00:01:02.5, or end for the last frame");
  }
  return time ? InputName{path, time} : InputName{input, {}};
}

bool is_address(std::string_view input) {
  std::string start(input.substr(0, 8));
  for (char& c : start) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return start.starts_with("http://") || start.starts_with("https://");
}

std::string public_address(std::string_view address) {
  address = address.substr(0, address.find_first_of("?#"));
  const std::size_t host = address.find("://") + 3;
  const std::size_t user = address.substr(0, address.find('/', host)).rfind('@');
  std::string result(address.substr(0, host));
  return result.append(address.substr(user == std::string_view::npos ? host : user + 1));
}

std::string last_part(const std::string& path) {
  const std::size_t end = path.find_last_not_of('/');
  if (end == std::string::npos) return path;
  const std::size_t slash = path.rfind('/', end);
  return path.substr(slash == std::string::npos ? 0 : slash + 1, end - slash);
}

}  // namespace svd::media
