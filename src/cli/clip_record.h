#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/raw_options.h"
#include "media/resolve_encoding.h"
#include "svd/request.h"
#include "svd/result.h"

namespace svd::cli {

/// What a clip is made of.
struct ClipSource {
  std::string image_name;  ///< without folders
  std::string image_sha256;
  std::string model_name;           ///< without folders
  std::string model_id;             ///< of model and LoRAs together
  std::vector<std::string> loras;   ///< NAME_OR_FILE[:strength], without folders
  std::string init_latents_name;    ///< without folders; empty: the request's own
  std::string init_latents_sha256;  ///< of the file that the request names; empty: it names none
};

/// What a file says about how it was made (docs/reproducibility.md): versions, picture, model,
/// the resolved request, how the file was made, and parts that were computed again in float32. No
/// path. `request_id` is a hash of all that decides the pixels and the file, so without threads,
/// device, memory and versions.
nlohmann::ordered_json clip_record(const ClipSource& source, const Request& request,
                                   const media::Encoding& encoding, const EncodingOptions& options,
                                   const std::vector<Retry>& retries);

/// A record from the text that holds it; null where it is none.
std::optional<nlohmann::ordered_json> parse_record(const std::string& text);

/// The record in a file, or beside it; null where svd-gen did not make it (another program's
/// comment is no record). Throws Error{image} if the file cannot be read.
std::optional<nlohmann::ordered_json> find_record(const std::filesystem::path& file);

/// The format that a sidecar tells of; empty: it is none of ours.
std::string format_in_sidecar(const std::filesystem::path& sidecar);

/// SHA-256 of a text in hexadecimal digits.
std::string hash_of(const std::string& text);

/// A record read back: the clip's options, and what its picture and model have to be.
struct ReadRecord {
  RawOptions options;
  ClipSource source;
  std::string request_id;
};

/// Takes nothing but what `clip_record` writes: whoever made the file chooses neither paths nor
/// what may be overwritten or fetched. Throws Error{image} naming `source` for anything else.
ReadRecord read_record(const nlohmann::ordered_json& written, const std::string& source);

/// The request id that a finished output carries; empty: none.
std::string request_id_of(const std::string& output);

}  // namespace svd::cli
