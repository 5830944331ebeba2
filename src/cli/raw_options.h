#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/option_table.h"

namespace svd::cli {

/// Options as text under their long name ("--steps"; "-h" where there is no other), with where each
/// comes from. All ways to give an option lead here, and its text is read in one place
/// (cli/options.h).
class RawOptions {
 public:
  struct Value {
    std::vector<std::string> texts;  ///< in the order given; of a flag "true" or "false"
    std::string origin;              ///< "command line", "preset draft", ...
  };

  bool has(const std::string& name) const { return values_.contains(name); }
  /// Whether a flag is set.
  bool is_set(const std::string& name) const;
  /// The last text given, null where there is none.
  const std::string* text(const std::string& name) const;
  /// All texts given.
  std::vector<std::string> texts(const std::string& name) const;
  const std::map<std::string, Value>& values() const { return values_; }

  void set(const std::string& name, Value value) { values_[name] = std::move(value); }
  void erase(const std::string& name) { values_.erase(name); }

  /// These options, and of `weaker` those that are not among them.
  RawOptions over(const RawOptions& weaker) const;

 private:
  std::map<std::string, Value> values_;
};

/// "-o,--output" -> "--output"
std::string long_name(const OptionRow& row);
/// "--frames" -> "frames", "--motion-bucket-id" -> "motion_bucket_id"
std::string json_key(const std::string& long_name);

/// Options from one JSON object: keys are long names in snake_case, values numbers, texts, or true
/// and false for flags. The keys of a resolved request count too: width and height for size,
/// memory_bytes for memory. Keys that are no option of a clip are an error with a suggestion, and
/// null is no value. Throws Error{kind} naming `source`.
RawOptions read_json_options(const Json& object, const std::string& source,
                             const std::string& origin, ErrorKind kind = ErrorKind::usage);

}  // namespace svd::cli
