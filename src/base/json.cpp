#include "base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <system_error>
#include <utility>

#include "base/suggest.h"

namespace svd {
namespace {

constexpr std::size_t kMaxDepth = 64;

/// Builds the document from parser events, so that duplicate names are seen (nlohmann's own builder
/// keeps the last one) and the depth is bounded.
class StrictBuilder : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t& text) override {
    (void)text;
    return add(value);
  }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t& value) override {
    (void)value;
    return false;
  }
  bool start_object(std::size_t size) override {
    (void)size;
    return open(Json::object());
  }
  bool start_array(std::size_t size) override {
    (void)size;
    return open(Json::array());
  }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    if (stack_.back()->contains(name)) {
      problem_ = "the name " + printable(name) + " occurs twice in one object";
      return false;
    }
    key_ = std::move(name);
    return true;
  }
  bool parse_error(std::size_t position, const std::string& token,
                   const Json::exception& error) override {
    (void)position, (void)token;
    const std::string text = error.what();
    const auto end_of_id = text.find("] ");
    problem_ = end_of_id == std::string::npos ? text : text.substr(end_of_id + 2);
    return false;
  }

  Json take() { return std::move(root_); }
  const std::string& problem() const { return problem_; }

 private:
  Json* place(Json value) {
    if (stack_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Json& parent = *stack_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    return &(parent[key_] = std::move(value));
  }
  bool add(Json value) {
    place(std::move(value));
    return true;
  }
  bool open(Json container) {
    if (stack_.size() >= kMaxDepth) {
      problem_ = fmt::format("more than {} levels of nesting", kMaxDepth);
      return false;
    }
    stack_.push_back(place(std::move(container)));
    return true;
  }
  bool close() {
    stack_.pop_back();
    return true;
  }

  Json root_;
  std::vector<Json*> stack_;
  std::string key_;
  std::string problem_;
};

std::string shown(const Json& value) {
  if (value.is_string()) return printable(value.get_ref<const std::string&>());
  if (value.is_object()) return "an object";
  // Only the head of a list: dumping all of a hostile one costs memory for nothing.
  if (value.is_array()) return fmt::format("a list of {}", value.size());
  return value.dump();
}

}  // namespace

std::string printable(std::string_view text) {
  constexpr std::size_t kLimit = 120;
  std::string out = "'";
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == kLimit) {
      out += "...";
      break;
    }
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte >= 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += text[i];
    }
  }
  return out + "'";
}

Json parse_json(std::string_view text, const std::string& source, ErrorKind kind) {
  // nlohmann takes a zero byte for the end of the text.
  if (const auto zero = text.find('\0'); zero != std::string_view::npos) {
    throw Error(kind, fmt::format("{}: not valid JSON: zero byte at {}", source, zero));
  }
  StrictBuilder builder;
  if (!Json::sax_parse(text, &builder)) {
    throw Error(kind, fmt::format("{}: not valid JSON: {}", source, builder.problem()));
  }
  return builder.take();
}

Json read_json_file(const std::filesystem::path& path, ErrorKind kind, std::size_t max_bytes) {
  std::error_code code;
  if (!std::filesystem::is_regular_file(path, code)) {
    const bool exists = std::filesystem::exists(path, code);
    throw Error(kind, path.string() + (exists ? ": not a regular file" : ": no such file"));
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(kind, path.string() + ": cannot be read");
  std::string text;
  char buffer[1 << 14];
  while (file.read(buffer, sizeof buffer) || file.gcount() > 0) {
    text.append(buffer, static_cast<std::size_t>(file.gcount()));
    if (text.size() > max_bytes) {
      throw Error(kind, fmt::format("{}: larger than {} bytes, which is no configuration file",
                                    path.string(), max_bytes));
    }
  }
  if (file.bad()) throw Error(kind, path.string() + ": reading failed");
  return parse_json(text, path.string(), kind);
}

std::string one_line(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

JsonObject::JsonObject(const Json& value, std::string source, ErrorKind kind)
    : value_(&value), source_(std::move(source)), kind_(kind) {
  if (!value.is_object()) {
    throw Error(kind_, fmt::format("{}: is {}, expected an object", source_, shown(value)));
  }
}

bool JsonObject::has(const std::string& key) const {
  const auto found = value_->find(key);
  return found != value_->end() && !found->is_null();
}

const Json& JsonObject::at(const std::string& key) const {
  if (!has(key)) throw Error(kind_, fmt::format("{}: '{}' is missing", source_, key));
  return *value_->find(key);
}

void JsonObject::fail(const std::string& key, const std::string& expected) const {
  const auto found = value_->find(key);
  const std::string value = found == value_->end() ? "not given" : shown(*found);
  throw Error(kind_, fmt::format("{}: '{}' is {}, expected {}", source_, key, value, expected));
}

namespace {

bool integer_within(const Json& value, std::int64_t min, std::int64_t max) {
  if (!value.is_number_integer()) return false;
  if (value.is_number_unsigned() &&
      value.get<std::uint64_t>() >
          static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return false;
  }
  const auto number = value.get<std::int64_t>();
  return number >= min && number <= max;
}

bool number_within(const Json& value, double min, double max) {
  if (!value.is_number()) return false;
  const auto number = value.get<double>();
  return std::isfinite(number) && number >= min && number <= max;
}

}  // namespace

std::int64_t JsonObject::integer(const std::string& key, std::int64_t min, std::int64_t max,
                                 std::optional<std::int64_t> fallback) const {
  if (!has(key) && fallback) return *fallback;
  const Json& value = at(key);
  if (!integer_within(value, min, max)) {
    fail(key, fmt::format("an integer from {} to {}", min, max));
  }
  return value.get<std::int64_t>();
}

double JsonObject::number(const std::string& key, double min, double max,
                          std::optional<double> fallback) const {
  if (!has(key) && fallback) return *fallback;
  const Json& value = at(key);
  if (!number_within(value, min, max)) fail(key, fmt::format("a number from {} to {}", min, max));
  return value.get<double>();
}

bool JsonObject::boolean(const std::string& key, std::optional<bool> fallback) const {
  if (!has(key) && fallback) return *fallback;
  const Json& value = at(key);
  if (!value.is_boolean()) fail(key, "true or false");
  return value.get<bool>();
}

std::string JsonObject::string(const std::string& key, std::optional<std::string> fallback) const {
  if (!has(key) && fallback) return *fallback;
  const Json& value = at(key);
  if (!value.is_string()) fail(key, "a string");
  std::string text = value.get<std::string>();
  if (text.find('\0') != std::string::npos) fail(key, "a string without zero bytes");
  return text;
}

const Json& JsonObject::list(const std::string& key, const char* of, std::size_t min_size,
                             std::size_t max_size) const {
  const Json& value = at(key);
  if (!value.is_array() || value.size() < min_size || value.size() > max_size) {
    fail(key, min_size == max_size ? fmt::format("a list of {} {}", min_size, of)
                                   : fmt::format("a list of {} to {} {}", min_size, max_size, of));
  }
  return value;
}

std::vector<std::int64_t> JsonObject::integers(const std::string& key, std::int64_t min,
                                               std::int64_t max, std::size_t min_size,
                                               std::size_t max_size) const {
  std::vector<std::int64_t> out;
  for (const Json& item : list(key, "integers", min_size, max_size)) {
    if (!integer_within(item, min, max)) {
      throw Error(kind_, fmt::format("{}: '{}' contains {}, expected integers from {} to {}",
                                     source_, key, shown(item), min, max));
    }
    out.push_back(item.get<std::int64_t>());
  }
  return out;
}

std::vector<double> JsonObject::numbers(const std::string& key, double min, double max,
                                        std::size_t min_size, std::size_t max_size) const {
  std::vector<double> out;
  for (const Json& item : list(key, "numbers", min_size, max_size)) {
    if (!number_within(item, min, max)) {
      throw Error(kind_, fmt::format("{}: '{}' contains {}, expected numbers from {} to {}",
                                     source_, key, shown(item), min, max));
    }
    out.push_back(item.get<double>());
  }
  return out;
}

std::vector<std::string> JsonObject::strings(const std::string& key, std::size_t min_size,
                                             std::size_t max_size) const {
  std::vector<std::string> out;
  for (const Json& item : list(key, "strings", min_size, max_size)) {
    if (!item.is_string()) {
      throw Error(kind_,
                  fmt::format("{}: '{}' contains {}, expected strings", source_, key, shown(item)));
    }
    out.push_back(item.get<std::string>());
    if (out.back().find('\0') != std::string::npos) fail(key, "strings without zero bytes");
  }
  return out;
}

JsonObject JsonObject::object(const std::string& key) const {
  const Json& value = at(key);
  if (!value.is_object()) fail(key, "an object");
  return JsonObject(value, source_ + ": " + key, kind_);
}

void JsonObject::allow_only(const std::vector<std::string>& known) const {
  for (const auto& [key, value] : value_->items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    std::string hint = did_you_mean(key, known);
    if (hint.empty()) hint = fmt::format("known keys: {}", fmt::join(known, ", "));
    throw Error(kind_, fmt::format("{}: unknown key {}", source_, printable(key)), hint);
  }
}

}  // namespace svd
