#include "media/download.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "media/input_name.h"
#include "media/libav.h"

extern "C" {
#include <libavutil/dict.h>
#include <libavutil/error.h>
}

namespace svd::media {
namespace {

using Clock = std::chrono::steady_clock;

int is_late(void* deadline) { return Clock::now() > *static_cast<Clock::time_point*>(deadline); }

[[noreturn]] void fail(const std::string& message, const std::string& hint = {}) {
  throw Error(ErrorKind::image, message, hint);
}

/// One fetch, with the clock running.
class Connection {
 public:
  Connection(const std::string& address, const DownloadLimits& limits)
      : name_(public_address(address)), limits_(limits), deadline_(Clock::now() + limits.time) {
    const AVIOInterruptCB callback{is_late, &deadline_};
    AVDictionary* options = nullptr;
    av_dict_set(&options, "protocol_whitelist", "http,https,tls,tcp,crypto", 0);
    av_dict_set(&options, "tls_verify", "1", 0);
    av_dict_set(&options, "seekable", "0", 0);
    AVIOContext* context = nullptr;
    const int code = avio_open2(&context, address.c_str(), AVIO_FLAG_READ, &callback, &options);
    av_dict_free(&options);
    check(code);
    context_.reset(context);
  }

  std::vector<std::uint8_t> read_all() {
    const std::int64_t promised = avio_size(context_.get());
    if (promised > static_cast<std::int64_t>(limits_.bytes)) fail_too_large();
    std::vector<std::uint8_t> bytes;
    for (int got = 1; got > 0;) {
      constexpr std::size_t part = std::size_t{64} << 10;
      const std::size_t old = bytes.size();
      bytes.resize(old + part);
      got = avio_read_partial(context_.get(), bytes.data() + old, part);
      bytes.resize(old + static_cast<std::size_t>(std::max(got, 0)));
      if (bytes.size() > limits_.bytes) fail_too_large();
      if (got != AVERROR_EOF) check(got);
    }
    if (promised > static_cast<std::int64_t>(bytes.size()))
      fail(name_ + ": the connection ended before all of it was there", "try again");
    return bytes;
  }

 private:
  struct Close {
    void operator()(AVIOContext* context) const { avio_closep(&context); }
  };

  void check(int code) {
    if (code >= 0) return;
    if (is_late(&deadline_) != 0) {
      const double seconds = std::chrono::duration<double>(limits_.time).count();
      fail(fmt::format("{} did not arrive within {:g} seconds", name_, seconds),
           "try again, or download it first");
    }
    char text[AV_ERROR_MAX_STRING_SIZE] = {};
    av_strerror(code, text, sizeof text);
    fail(name_ + " cannot be fetched: " + text, "check the address, the network and certificates");
  }

  [[noreturn]] void fail_too_large() const {
    fail(name_ + " is larger than " + std::to_string(limits_.bytes >> 20) + " MiB",
         "download it first");
  }

  std::string name_;
  DownloadLimits limits_;
  Clock::time_point deadline_;
  std::unique_ptr<AVIOContext, Close> context_;
};

}  // namespace

std::vector<std::uint8_t> download(const std::string& address, const DownloadLimits& limits) {
  libav::silence();
  return Connection(address, limits).read_all();
}

}  // namespace svd::media
