#include "media/sidecar.h"

#include <string_view>

#include "media/file_bytes.h"
#include "media/output_name.h"

namespace svd::media {

namespace fs = std::filesystem;

fs::path sidecar_name(const fs::path& output) {
  const fs::path folder = parent_folder(output);
  std::string stem;
  if (!output.has_filename()) {
    stem = output.parent_path().filename().string();
  } else if (const auto numbered = parse_numbered_name(output.filename().string())) {
    stem = numbered->prefix;
    while (!stem.empty() && std::string_view("_-.").find(stem.back()) != std::string_view::npos)
      stem.pop_back();
    if (stem.empty()) stem = "frames";
  } else {
    stem = output.stem().string();
  }
  const std::string name = stem + ".json";
  return folder == "." ? fs::path(name) : folder / name;
}

std::optional<fs::path> sidecar_of(const OutputOptions& options, const Format& format) {
  const bool wanted = options.encoding.sidecar || !format.keeps_metadata;
  if (options.metadata.empty() || !wanted || is_standard_output(options.path)) return {};
  return sidecar_name(options.path);
}

Sidecar::Sidecar(const OutputOptions& options, const Format& format) {
  const auto path = sidecar_of(options, format);
  if (!path) return;
  file_.emplace(*path, options.overwrite);
  file_->write(bytes_of(options.metadata + "\n"));
}

void Sidecar::publish_before(const std::function<void()>& publish) {
  if (file_)
    file_->publish_before(publish);
  else
    publish();
}

}  // namespace svd::media
