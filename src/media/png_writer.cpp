#include "media/png_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <string>
#include <system_error>
#include <vector>

#include "base/atomic_file.h"
#include "media/output_name.h"
#include "svd/error.h"

namespace svd::media {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path, const std::string& what, int code) {
  throw Error(ErrorKind::output,
              path.string() + ": " + what + ": " + std::generic_category().message(code),
              code == ENOSPC ? "free some space or write to another disk" : "");
}

std::vector<std::uint8_t> encode(std::span<const std::uint8_t> rgb, int width, int height) {
  // OpenCV takes no const pixels; this Mat is only read.
  const cv::Mat view(height, width, CV_8UC3, const_cast<std::uint8_t*>(rgb.data()));
  cv::Mat bgr;
  std::vector<std::uint8_t> bytes;
  try {
    cv::cvtColor(view, bgr, cv::COLOR_RGB2BGR);
    if (cv::imencode(".png", bgr, bytes)) return bytes;
  } catch (const cv::Exception& error) {
    throw Error(ErrorKind::output, std::string("cannot encode a PNG frame: ") + error.what());
  }
  throw Error(ErrorKind::output, "cannot encode a PNG frame");
}

/// Writes a new file. Errors name `shown`, the path that the user knows.
void write_file(const fs::path& path, const std::vector<std::uint8_t>& bytes,
                const fs::path& shown) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file < 0) fail(shown, "cannot create", errno);
  std::size_t done = 0;
  int code = 0;
  while (done < bytes.size() && code == 0) {
    const ssize_t written = ::write(file, bytes.data() + done, bytes.size() - done);
    if (written >= 0)
      done += static_cast<std::size_t>(written);
    else if (errno != EINTR)
      code = errno;
  }
  if (close(file) != 0 && code == 0) code = errno;
  if (code != 0) fail(shown, "cannot write", code);
}

/// Writes numbered frames into a hidden folder; the two outputs differ in how they publish them.
class PngSink : public FrameSink {
 public:
  PngSink(const OutputOptions& options, NumberedName name, const fs::path& hidden_for)
      : options_(options),
        name_(std::move(name)),
        temporary_(hidden_for, AtomicPath::Type::folder) {}

  void write(std::span<const std::uint8_t> rgb) override {
    if (rgb.size() != static_cast<std::size_t>(options_.width) * options_.height * 3 ||
        written_ == options_.frames) {
      throw Error(ErrorKind::internal, options_.path.string() + ": a frame too large or too many");
    }
    const std::string file = name_.file(written_);
    write_file(temporary_.temporary_path() / file, encode(rgb, options_.width, options_.height),
               folder() / file);
    ++written_;
  }

  void finish() override {
    if (written_ != options_.frames) {
      throw Error(ErrorKind::internal, options_.path.string() + ": expected " +
                                           std::to_string(options_.frames) + " frames, got " +
                                           std::to_string(written_));
    }
    publish();
  }

 protected:
  virtual void publish() = 0;

  /// Where the frames end up.
  fs::path folder() const {
    return options_.path.has_parent_path() ? options_.path.parent_path() : fs::path(".");
  }

  OutputOptions options_;
  NumberedName name_;
  AtomicPath temporary_;
  int written_ = 0;
};

class PngFolderSink : public PngSink {
 public:
  explicit PngFolderSink(const OutputOptions& options)
      : PngSink(options, folder_frame_name(), options.path) {}

 protected:
  void publish() override {
    // The folder may have changed since the start: look again before anything is removed.
    check_output(options_.path, options_.overwrite);
    if (rmdir(folder().c_str()) != 0 && errno != ENOENT && errno != ENOTEMPTY && errno != EEXIST)
      fail(folder(), "cannot replace", errno);
    temporary_.commit(options_.overwrite);
  }
};

class PngPatternSink : public PngSink {
 public:
  explicit PngPatternSink(const OutputOptions& options)
      : PngSink(options, parse_numbered_name(options.path.filename().string()).value(),
                options.path) {}

 protected:
  void publish() override {
    int published = 0;
    try {
      for (; published < written_; ++published) {
        const std::string file = name_.file(published);
        publish_file(temporary_.temporary_path() / file, folder() / file, options_.overwrite);
      }
    } catch (const Error&) {
      std::error_code ignored;
      while (!options_.overwrite && published-- > 0)
        fs::remove(folder() / name_.file(published), ignored);
      throw;
    }
  }
};

}  // namespace

std::unique_ptr<FrameSink> open_png_folder(const OutputOptions& options) {
  return std::make_unique<PngFolderSink>(options);
}

std::unique_ptr<FrameSink> open_png_pattern(const OutputOptions& options) {
  return std::make_unique<PngPatternSink>(options);
}

}  // namespace svd::media
