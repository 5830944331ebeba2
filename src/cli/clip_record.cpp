#include "cli/clip_record.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "cli/version.h"
#include "media/file_bytes.h"
#include "media/formats.h"
#include "media/metadata.h"
#include "media/output_name.h"
#include "media/sha256.h"
#include "svd/error.h"
#include "svd/version.h"

namespace svd::cli {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr std::size_t kSha256Digits = 64;
constexpr std::size_t kIdDigits = 32;
constexpr std::size_t kLargestSidecar = std::size_t{16} << 20;

OrderedJson without_paths(const Request& request, const std::string& init_latents_name = {}) {
  OrderedJson json = OrderedJson::parse(to_json(request));
  json.erase("save_latents");
  json.erase("memory_bytes");  // the same frames within any limit
  if (request.init_latents)
    json["init_latents"] = init_latents_name.empty()
                               ? std::filesystem::path(*request.init_latents).filename().string()
                               : init_latents_name;
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

bool is_plain_name(const std::string& name) {
  return name.find('/') == std::string::npos && name != "." && name != ".." && name != "-";
}

/// A text that is a name without folders, or empty.
std::string name_of(const JsonObject& object, const std::string& key) {
  std::string name = text_of(object, key);
  if (!is_plain_name(name)) object.fail(key, "a name without folders");
  return name;
}

/// A hash or an id.
std::string digits_of(const JsonObject& object, const std::string& key, std::size_t count) {
  std::string digits = object.string(key);
  if (digits.size() != count || digits.find_first_not_of("0123456789abcdef") != std::string::npos)
    object.fail(key, std::to_string(count) + " hexadecimal digits");
  return digits;
}

/// Messages quote values.
void refuse_control_characters(const JsonObject& object, const Json& json) {
  const auto is_control = [](char letter) {
    return static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f;
  };
  for (const auto& [key, value] : json.items()) {
    if (!value.is_string()) continue;
    const std::string text = value.get<std::string>();
    if (std::any_of(text.begin(), text.end(), is_control))
      object.fail(key, "a text without control characters");
  }
}

/// The keys of a request that a record holds.
std::vector<std::string> request_keys() {
  std::vector<std::string> keys;
  const OrderedJson request = without_paths({});
  for (const auto& [key, value] : request.items()) keys.push_back(key);
  return keys;
}

}  // namespace

std::string hash_of(const std::string& text) {
  return media::sha256_of({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

OrderedJson clip_record(const ClipSource& source, const Request& request,
                        const media::Encoding& encoding, const EncodingOptions& options,
                        const std::vector<Retry>& retries) {
  const OrderedJson image = {{"name", source.image_name}, {"sha256", source.image_sha256}};
  const std::string& noise = source.init_latents_sha256;
  OrderedJson model = {{"name", source.model_name}, {"id", source.model_id}};
  if (!source.loras.empty()) model["loras"] = source.loras;
  const OrderedJson resolved = without_paths(request, source.init_latents_name);
  const OrderedJson file = encoding_json(encoding, options);

  OrderedJson decisive = resolved;
  for (const char* key : {"threads", "device"}) decisive.erase(key);
  OrderedJson deciding = {decisive, file, source.image_sha256, source.model_id};
  if (!noise.empty()) deciding.push_back(noise);
  const std::string id = hash_of(one_line(deciding));

  OrderedJson record = {{"svd_gen", version()}, {"request_id", id},    {"image", image},
                        {"model", model},       {"request", resolved}, {"encoding", file}};
  if (!noise.empty()) record["init_latents"] = {{"sha256", noise}};
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

namespace {

std::string format_in(const OrderedJson& record) {
  const auto encoding = record.find("encoding");
  if (encoding == record.end() || !encoding->is_object()) return {};
  const auto format = encoding->find("format");
  return format != encoding->end() && format->is_string() ? format->get<std::string>()
                                                          : std::string();
}

}  // namespace

std::string format_in_sidecar(const std::filesystem::path& sidecar) {
  std::error_code code;
  if (!std::filesystem::is_regular_file(sidecar, code)) return {};
  const auto bytes = media::read_file(sidecar, kLargestSidecar);
  const auto record =
      bytes ? parse_record(std::string(bytes->begin(), bytes->end())) : std::nullopt;
  return record ? format_in(*record) : std::string();
}

std::optional<OrderedJson> find_record(const std::filesystem::path& file) {
  const auto text = media::read_metadata(file);
  auto record = text ? parse_record(*text) : std::nullopt;
  // clip.gif and clip.webp have one name for their sidecars.
  const media::Format* const named = media::format_of_name(file);
  const std::string told = record ? format_in(*record) : std::string();
  if (named != nullptr && !named->keeps_metadata && !told.empty() && named->name != told)
    return std::nullopt;
  return record;
}

ReadRecord read_record(const OrderedJson& written, const std::string& source) {
  const Json json = written;
  const JsonObject object(json, source, ErrorKind::image);
  ReadRecord record;
  record.request_id = text_of(object, "request_id");
  const JsonObject image = object.object("image");
  const JsonObject model = object.object("model");
  record.source = {name_of(image, "name"),
                   digits_of(image, "sha256", kSha256Digits),
                   name_of(model, "name"),
                   digits_of(model, "id", kIdDigits),
                   {},
                   {},
                   {}};
  if (model.has("loras")) record.source.loras = model.strings("loras", 0, 100);
  for (const std::string& lora : record.source.loras)
    if (!is_plain_name(lora)) model.fail("loras", "names without folders");
  if (object.has("init_latents"))
    record.source.init_latents_sha256 =
        digits_of(object.object("init_latents"), "sha256", kSha256Digits);
  Json encoding = object.has("encoding") ? object.at("encoding") : Json::object();
  JsonObject(encoding, source, ErrorKind::image)
      .allow_only({"format", "codec", "bit_depth", "pixel_format", "crf", "quality", "loop",
                   "interpolate", "lossy"});
  encoding.erase("lossy");
  const JsonObject made(encoding, source, ErrorKind::image);
  if (made.has("format") && media::find_format(made.string("format")) == nullptr)
    made.fail("format", "a format that is known");
  const JsonObject request = object.object("request");
  request.allow_only(request_keys());
  record.source.init_latents_name = name_of(request, "init_latents");
  if (!record.source.init_latents_sha256.empty() && record.source.init_latents_name.empty())
    request.fail("init_latents", "the name of a file whose SHA-256 is told");
  refuse_control_characters(request, object.at("request"));
  refuse_control_characters(made, encoding);
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
