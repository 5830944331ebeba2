#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/encoding.h"
#include "cli/options.h"
#include "svd/request.h"

/// Values of the command line, read strictly: the whole text must be the value, nothing wraps and
/// nothing saturates. Every function throws Error{usage} naming `flag`, `text` and what is
/// accepted. Ranges are checked by svd::validate.
namespace svd::cli {

int parse_int(const std::string& flag, const std::string& text);
std::uint64_t parse_uint64(const std::string& flag, const std::string& text);
/// Decimal or scientific notation; "nan" and "inf" are refused.
double parse_double(const std::string& flag, const std::string& text);
/// "8G", "8GiB", "1500M" or bytes; units are powers of 1024.
std::int64_t parse_bytes(const std::string& flag, const std::string& text);
/// "a,b" -> {"a", "b"}
std::vector<std::string> split_names(const std::string& text);
/// "1024x576" -> {1024, 576}
std::pair<int, int> parse_size(const std::string& flag, const std::string& text);

Fit parse_fit(const std::string& flag, const std::string& text);
Dtype parse_dtype(const std::string& flag, const std::string& text);
Profile parse_profile(const std::string& flag, const std::string& text);
Loop parse_loop(const std::string& flag, const std::string& text);
ProgressMode parse_progress(const std::string& flag, const std::string& text);
ColorMode parse_color(const std::string& flag, const std::string& text);
/// 16 to 2^31 - 1.
std::int64_t parse_pixels(const std::string& flag, const std::string& text);

}  // namespace svd::cli
