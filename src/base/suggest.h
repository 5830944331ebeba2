#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace svd {

/// The candidate that `word` was most likely meant to be: fewest insertions, deletions,
/// replacements and swaps of neighbours, at most one for every three letters (two at least). Null:
/// none is close.
std::optional<std::string> closest(std::string_view word,
                                   const std::vector<std::string>& candidates);

/// "did you mean X?", or empty when no candidate is close.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace svd
