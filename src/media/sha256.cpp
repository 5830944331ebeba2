#include "media/sha256.h"

#include <array>
#include <memory>
#include <new>
#include <vector>

extern "C" {
#include <libavutil/mem.h>
#include <libavutil/sha.h>
}

namespace svd::media {
namespace {

class Sha256 {
 public:
  Sha256() : state_(av_sha_alloc()) {
    if (!state_ || av_sha_init(state_.get(), 256) < 0) throw std::bad_alloc();
  }
  void add(std::span<const std::uint8_t> bytes) {
    av_sha_update(state_.get(), bytes.data(), bytes.size());
  }
  std::string digits() {
    std::array<std::uint8_t, 32> digest{};
    av_sha_final(state_.get(), digest.data());
    std::string text;
    for (const std::uint8_t byte : digest)
      for (const int digit : {byte >> 4, byte & 15}) text += "0123456789abcdef"[digit];
    return text;
  }

 private:
  struct Free {
    void operator()(AVSHA* state) const { av_free(state); }
  };
  std::unique_ptr<AVSHA, Free> state_;
};

}  // namespace

std::string sha256_of(std::span<const std::uint8_t> bytes) {
  Sha256 hash;
  hash.add(bytes);
  return hash.digits();
}

std::string sha256_of(const ByteSource& source) {
  Sha256 hash;
  std::vector<std::uint8_t> part(std::size_t{1} << 20);
  std::uint64_t offset = 0;
  while (const std::size_t count = source.read_at(offset, part)) {
    hash.add(std::span(part).first(count));
    offset += count;
  }
  return hash.digits();
}

}  // namespace svd::media
