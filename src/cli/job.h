#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/encoding.h"
#include "cli/raw_options.h"
#include "svd/request.h"

namespace svd::cli {

/// One clip: which picture becomes which file, and how.
struct Job {
  int index = 0;                   ///< place in the list of all jobs, from 0
  std::string image;               ///< path, "-", URL or frame of a video
  std::string shown_image;         ///< base name for the metadata; empty: of `image`
  std::string shown_init_latents;  ///< likewise, of --init-latents
  bool seed_is_drawn = false;
  std::string output;  ///< as given or derived from the picture's name, "-": standard output
  bool output_is_derived = false;
  bool overwrite = false;
  bool metadata = true;
  std::optional<std::string> model;
  std::optional<std::string> models_dir;
  std::vector<std::string> loras;  ///< NAME_OR_FILE[:strength]
  std::int64_t max_pixels = 0;
  bool allow_network = false;
  std::optional<std::string> contact_sheet;
  std::optional<std::string> preview;
  EncodingOptions encoding;
  RequestOptions request;
  RawOptions given;  ///< what the above was read from
};

}  // namespace svd::cli
