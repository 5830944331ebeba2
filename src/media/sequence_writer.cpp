#include "media/sequence_writer.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "base/atomic_file.h"
#include "media/file_bytes.h"
#include "media/formats.h"
#include "media/output_name.h"
#include "media/picture_encoder.h"
#include "media/png_text.h"
#include "media/sidecar.h"
#include "svd/error.h"

namespace svd::media {
namespace {

namespace fs = std::filesystem;

/// Writes numbered frames into a hidden folder; the two outputs differ in how they publish them.
class SequenceSink : public FrameSink {
 public:
  SequenceSink(const OutputOptions& options, const Encoding& encoding, NumberedName name)
      : options_(options),
        encoding_(encoding),
        name_(std::move(name)),
        temporary_(options.path, AtomicPath::Type::folder),
        sidecar_(options, *find_format(encoding.format)) {}

  int bit_depth() const override { return encoding_.input_bit_depth(); }

  void write(std::span<const std::uint8_t> rgb) override {
    const std::size_t bytes_per_pixel = bit_depth() / 8 * 3;
    if (rgb.size() != bytes_per_pixel * options_.width * options_.height ||
        written_ == encoding_.frames) {
      throw Error(ErrorKind::internal, options_.path.string() + ": a frame too large or too many");
    }
    const std::string file = name_.file(written_);
    auto bytes = encode_picture(rgb, options_.width, options_.height, bit_depth(), encoding_.format,
                                encoding_.quality);
    const bool takes_metadata = written_ == 0 && encoding_.format == "png";
    if (takes_metadata && !options_.metadata.empty())
      bytes = with_png_comment(bytes, options_.metadata);
    write_file(temporary_.temporary_path() / file, bytes, folder() / file);
    ++written_;
  }

  void finish() override {
    if (written_ != encoding_.frames) {
      throw Error(ErrorKind::internal, options_.path.string() + ": expected " +
                                           std::to_string(encoding_.frames) + " frames, got " +
                                           std::to_string(written_));
    }
    sidecar_.publish_before([&] { publish(); });
  }

 protected:
  virtual void publish() = 0;

  /// Where the frames end up.
  fs::path folder() const {
    return options_.path.has_parent_path() ? options_.path.parent_path() : fs::path(".");
  }

  OutputOptions options_;
  Encoding encoding_;
  NumberedName name_;
  AtomicPath temporary_;
  Sidecar sidecar_;
  int written_ = 0;
};

class FolderSink : public SequenceSink {
 public:
  FolderSink(const OutputOptions& options, const Encoding& encoding)
      : SequenceSink(options, encoding, folder_frame_name(encoding.format)) {}

 protected:
  void publish() override {
    // The folder may have changed since the start: look again before anything is removed.
    check_output(options_.path, options_.overwrite);
    if (rmdir(folder().c_str()) != 0 && errno != ENOENT && errno != ENOTEMPTY && errno != EEXIST)
      throw Error(ErrorKind::output, "cannot replace " + folder().string() + ": " +
                                         std::generic_category().message(errno));
    temporary_.commit(options_.overwrite);
  }
};

class PatternSink : public SequenceSink {
 public:
  PatternSink(const OutputOptions& options, const Encoding& encoding)
      : SequenceSink(options, encoding,
                     parse_numbered_name(options.path.filename().string()).value()) {}

 protected:
  void publish() override {
    // The first frame comes last: it says that the clip is whole.
    int next = written_ - 1;
    try {
      for (; next >= 0; --next) {
        const std::string file = name_.file(next);
        publish_file(temporary_.temporary_path() / file, folder() / file, options_.overwrite);
      }
    } catch (const Error&) {
      std::error_code ignored;
      while (!options_.overwrite && ++next < written_)
        fs::remove(folder() / name_.file(next), ignored);
      throw;
    }
  }
};

}  // namespace

std::unique_ptr<FrameSink> open_sequence(const OutputOptions& options, const Encoding& encoding) {
  if (options.path.has_filename()) return std::make_unique<PatternSink>(options, encoding);
  return std::make_unique<FolderSink>(options, encoding);
}

}  // namespace svd::media
