#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "media/byte_source.h"

namespace svd::media {

/// SHA-256 as 64 lower-case hexadecimal digits.
std::string sha256_of(std::span<const std::uint8_t> bytes);

/// The same of all bytes of a source, read in parts.
std::string sha256_of(const ByteSource& source);

}  // namespace svd::media
