#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "media/companion_file.h"
#include "media/formats.h"
#include "media/frame_writer.h"

namespace svd::media {

/// The file beside an output that takes its metadata: "a/clip.gif" and "a/clip/" have
/// "a/clip.json", "a/f_%04d.jpg" has "a/f.json" and "a/%d.jpg" has "a/frames.json".
std::filesystem::path sidecar_name(const std::filesystem::path& output);

/// Where the metadata of `options` goes beside the output; null if it does not.
std::optional<std::filesystem::path> sidecar_of(const OutputOptions& options, const Format& format);

/// The sidecar of an output, if it has one.
class Sidecar {
 public:
  /// Writes it, still hidden. Throws Error{output}.
  Sidecar(const OutputOptions& options, const Format& format);

  /// As CompanionFile; calls only `publish` if there is no sidecar.
  void publish_before(const std::function<void()>& publish);

 private:
  std::optional<CompanionFile> file_;
};

}  // namespace svd::media
