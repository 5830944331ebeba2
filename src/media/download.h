#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace svd::media {

struct DownloadLimits {
  std::size_t bytes = std::size_t{64} << 20;
  std::chrono::milliseconds time{60'000};  ///< from the first connection to the last byte
};

/// What an http or https address gives, following redirects to such addresses only and checking
/// certificates. Throws Error{image}, naming the address without user and query: it cannot be
/// fetched, is incomplete, or exceeds a limit.
std::vector<std::uint8_t> download(const std::string& address, const DownloadLimits& limits = {});

}  // namespace svd::media
