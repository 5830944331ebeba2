#include "cli/clip_record.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/version.h"
#include "media/metadata.h"
#include "media/sha256.h"
#include "svd/error.h"
#include "svd/version.h"

namespace svd::cli {
namespace {

using OrderedJson = nlohmann::ordered_json;

OrderedJson without_paths(const Request& request) {
  OrderedJson json = OrderedJson::parse(to_json(request));
  json.erase("save_latents");
  json.erase("memory_bytes");  // the same frames within any limit
  if (request.init_latents)
    json["init_latents"] = std::filesystem::path(*request.init_latents).filename().string();
  return json;
}

OrderedJson encoding_json(const media::Encoding& encoding, const EncodingOptions& options) {
  // An encoder that was asked for by its own name.
  const bool named = options.codec && *options.codec == encoding.encoder;
  OrderedJson json = {{"format", encoding.format},
                      {"codec", named ? encoding.encoder : encoding.codec},
                      {"bit_depth", encoding.bit_depth}};
  const bool is_video = !encoding.encoder.empty();  // of pictures there is nothing to choose
  if (is_video) json["pixel_format"] = encoding.pixel_format;
  if (encoding.crf) json["crf"] = *encoding.crf;
  if (encoding.quality) json["quality"] = *encoding.quality;
  json["loop"] = to_string(options.loop);
  json["interpolate"] = options.interpolate;
  if (options.interpolate > 1) json["lossy"] = "the frames in between are guessed";
  return json;
}

OrderedJson retries_json(const std::vector<Retry>& retries) {
  OrderedJson json = OrderedJson::array();
  for (const Retry& retry : retries)
    json.push_back({{"stage", to_string(retry.stage)},
                    {"from", to_string(retry.from)},
                    {"to", to_string(Dtype::float32)}});
  return json;
}

std::string text_of(const JsonObject& object, const std::string& key) {
  return object.has(key) ? object.string(key) : std::string();
}

}  // namespace

std::string hash_of(const std::string& text) {
  return media::sha256_of({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

OrderedJson clip_record(const ClipSource& source, const Request& request,
                        const media::Encoding& encoding, const EncodingOptions& options,
                        const std::vector<Retry>& retries) {
  const OrderedJson image = {{"name", source.image_name}, {"sha256", source.image_sha256}};
  OrderedJson model = {{"name", source.model_name}, {"id", source.model_id}};
  if (!source.loras.empty()) model["loras"] = source.loras;
  const OrderedJson resolved = without_paths(request);
  const OrderedJson file = encoding_json(encoding, options);

  OrderedJson decisive = resolved;
  for (const char* key : {"threads", "device"}) decisive.erase(key);
  const std::string id = hash_of(one_line({decisive, file, source.image_sha256, source.model_id}));

  OrderedJson record = {{"svd_gen", version()}, {"request_id", id},    {"image", image},
                        {"model", model},       {"request", resolved}, {"encoding", file}};
  if (!retries.empty()) record["retries"] = retries_json(retries);
  record["versions"] = library_versions();
  return record;
}

std::optional<OrderedJson> parse_record(const std::string& text) {
  try {
    const Json json = parse_json(text, "record", ErrorKind::image);  // strict: anyone wrote it
    if (json.is_object() && json.contains("svd_gen") && json.contains("request"))
      return OrderedJson::parse(text);  // in the order that people read
  } catch (const Error&) {
    return std::nullopt;
  }
  return std::nullopt;
}

std::optional<OrderedJson> find_record(const std::filesystem::path& file) {
  const auto text = media::read_metadata(file);
  return text ? parse_record(*text) : std::nullopt;
}

ReadRecord read_record(const OrderedJson& written, const std::string& source) {
  const Json json = written;
  const JsonObject object(json, source, ErrorKind::image);
  ReadRecord record;
  record.request_id = text_of(object, "request_id");
  const JsonObject image = object.object("image");
  const JsonObject model = object.object("model");
  record.source = {text_of(image, "name"),
                   text_of(image, "sha256"),
                   text_of(model, "name"),
                   text_of(model, "id"),
                   {}};
  if (model.has("loras")) record.source.loras = model.strings("loras", 0, 100);
  Json encoding = object.has("encoding") ? object.at("encoding") : Json::object();
  if (encoding.is_object()) encoding.erase("lossy");
  record.options = read_json_options(object.at("request"), source, source, ErrorKind::image)
                       .over(read_json_options(encoding, source, source, ErrorKind::image));
  return record;
}

std::string request_id_of(const std::string& output) {
  try {
    const auto record = find_record(output);
    return record ? read_record(*record, output).request_id : std::string();
  } catch (const Error&) {
    return {};  // something else of that name
  }
}

}  // namespace svd::cli
