#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "svd/error.h"

namespace svd {

using Json = nlohmann::json;

/// Text of unknown origin made fit for a message: in single quotes, control and broken bytes as
/// \xNN, cut after 120 characters.
std::string printable(std::string_view text);

/// Parses exactly one JSON value. Stricter than nlohmann: a name that occurs twice in an object and
/// more than 64 levels of nesting are errors. Throws Error{kind} naming `source` and the place.
Json parse_json(std::string_view text, const std::string& source, ErrorKind kind);

/// Parses a whole file of at most `max_bytes`. Throws Error{kind} naming the file.
Json read_json_file(const std::filesystem::path& path, ErrorKind kind,
                    std::size_t max_bytes = std::size_t{16} << 20);

/// JSON on one line. Text that is no UTF-8, as file names may be, is replaced where it is broken.
std::string one_line(const nlohmann::ordered_json& json);

template <typename T>
nlohmann::ordered_json or_null(const std::optional<T>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
}

/// Typed access to one object. Every offence throws Error{kind} with the source, the key, the value
/// and what was expected. A key that holds null counts as absent. Without a default a key is
/// required. Refers to the Json it was made from.
class JsonObject {
 public:
  /// `source` names the document, for example "unet/config.json". Throws unless `value` is an
  /// object.
  JsonObject(const Json& value, std::string source, ErrorKind kind);

  const std::string& source() const { return source_; }
  bool has(const std::string& key) const;
  const Json& at(const std::string& key) const;  ///< throws if absent

  std::int64_t integer(const std::string& key, std::int64_t min, std::int64_t max,
                       std::optional<std::int64_t> fallback = {}) const;
  double number(const std::string& key, double min, double max,
                std::optional<double> fallback = {}) const;
  bool boolean(const std::string& key, std::optional<bool> fallback = {}) const;
  std::string string(const std::string& key, std::optional<std::string> fallback = {}) const;

  /// A list of at least `min_size` and at most `max_size` entries of one type.
  std::vector<std::int64_t> integers(const std::string& key, std::int64_t min, std::int64_t max,
                                     std::size_t min_size, std::size_t max_size) const;
  std::vector<double> numbers(const std::string& key, double min, double max, std::size_t min_size,
                              std::size_t max_size) const;
  std::vector<std::string> strings(const std::string& key, std::size_t min_size,
                                   std::size_t max_size) const;
  JsonObject object(const std::string& key) const;

  /// Throws if a key is none of `known`, with a suggestion.
  void allow_only(const std::vector<std::string>& known) const;

  /// Throws Error{kind} "SOURCE: 'KEY' is VALUE, expected EXPECTED".
  [[noreturn]] void fail(const std::string& key, const std::string& expected) const;

 private:
  const Json& list(const std::string& key, const char* of, std::size_t min_size,
                   std::size_t max_size) const;

  const Json* value_;
  std::string source_;
  ErrorKind kind_;
};

}  // namespace svd
