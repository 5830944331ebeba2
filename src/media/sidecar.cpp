#include "media/sidecar.h"

#include <system_error>

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

Sidecar::Sidecar(const OutputOptions& options, const Format& format)
    : path_(sidecar_of(options, format)), overwrite_(options.overwrite) {
  if (!path_) return;
  temporary_.emplace(*path_, AtomicPath::Type::file);
  write_file(temporary_->temporary_path(), bytes_of(options.metadata + "\n"), *path_);
}

void Sidecar::publish_before(const std::function<void()>& publish) {
  if (temporary_) temporary_->commit(overwrite_);
  try {
    publish();
  } catch (...) {
    std::error_code ignored;
    if (temporary_ && !overwrite_) fs::remove(*path_, ignored);
    throw;
  }
}

}  // namespace svd::media
