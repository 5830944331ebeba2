#include "weights/safetensors_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

#include "base/json.h"
#include "weights/dtypes.h"

namespace svd::weights {
namespace {

/// torch has no use for more, and a bound keeps a hostile shape from growing.
constexpr std::size_t kMaxRank = 16;

/// Parser events of a header straight into TensorInfo: a document tree of a 100 MB header would
/// take gigabytes.
class HeaderReader : public nlohmann::json_sax<Json> {
 public:
  explicit HeaderReader(SafetensorsHeader& header) : header_(header) {}

  bool null() override { return unexpected("null"); }
  bool boolean(bool value) override { return unexpected(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override {
    return unexpected(fmt::format("{}", value));
  }
  bool number_float(number_float_t value, const string_t& text) override {
    (void)value;
    return unexpected(printable(text));
  }
  bool binary(binary_t& value) override {
    (void)value;
    return unexpected("binary data");
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ == Place::shape) {
      if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        return fail(fmt::format("tensor {}: size {} is too large", printable(tensor_.name), value));
      }
      if (tensor_.shape.size() == kMaxRank) {
        return fail(
            fmt::format("tensor {}: more than {} dimensions", printable(tensor_.name), kMaxRank));
      }
      tensor_.shape.push_back(static_cast<std::int64_t>(value));
      return true;
    }
    if (place_ == Place::offsets) {
      if (offsets_ == 2) return fail(two_offsets());
      (offsets_++ == 0 ? tensor_.begin : tensor_.end) = value;
      return true;
    }
    return unexpected(fmt::format("{}", value));
  }

  bool string(string_t& value) override {
    if (place_ == Place::metadata) {
      header_.metadata[key_] = std::move(value);
      return true;
    }
    if (place_ == Place::tensor && key_ == "dtype") {
      tensor_.dtype = std::move(value);
      return true;
    }
    return unexpected(printable(value));
  }

  bool key(string_t& name) override {
    key_ = std::move(name);
    if (place_ == Place::metadata) {
      return !header_.metadata.contains(key_) ||
             fail("metadata: duplicate name " + printable(key_));
    }
    if (place_ == Place::tensor) {
      if (key_ != "dtype" && key_ != "shape" && key_ != "data_offsets") {
        return fail(
            fmt::format("tensor {}: unknown field {}", printable(tensor_.name), printable(key_)));
      }
      return fields_.insert(key_).second ||
             fail(fmt::format("tensor {}: duplicate field {}", printable(tensor_.name),
                              printable(key_)));
    }
    return names_.insert(key_).second || fail("duplicate name " + printable(key_));
  }

  bool start_object(std::size_t size) override {
    (void)size;
    if (place_ == Place::outside) {
      place_ = Place::top;
      return true;
    }
    if (place_ != Place::top) return unexpected("an object");
    place_ = key_ == "__metadata__" ? Place::metadata : Place::tensor;
    tensor_ = TensorInfo{};
    tensor_.name = key_;
    fields_.clear();
    offsets_ = 0;
    return true;
  }

  bool end_object() override {
    if (place_ == Place::tensor) {
      for (const char* field : {"dtype", "shape", "data_offsets"}) {
        if (!fields_.contains(field)) {
          return fail(fmt::format("tensor {}: '{}' is missing", printable(tensor_.name), field));
        }
      }
      header_.tensors.push_back(std::move(tensor_));
    }
    place_ = place_ == Place::top ? Place::outside : Place::top;
    return true;
  }

  bool start_array(std::size_t size) override {
    (void)size;
    if (place_ != Place::tensor || key_ == "dtype") return unexpected("a list");
    place_ = key_ == "shape" ? Place::shape : Place::offsets;
    return true;
  }

  bool end_array() override {
    if (place_ == Place::offsets && offsets_ != 2) return fail(two_offsets());
    place_ = Place::tensor;
    return true;
  }

  bool parse_error(std::size_t position, const std::string& token,
                   const Json::exception& error) override {
    (void)token, (void)error;
    return fail(fmt::format("not valid JSON at byte {}", position));
  }

  const std::string& problem() const { return problem_; }

 private:
  enum class Place { outside, top, metadata, tensor, shape, offsets };

  bool fail(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }
  bool unexpected(const std::string& what) {
    switch (place_) {
      case Place::outside:
        return fail(what + " instead of an object");
      case Place::top:
        return fail(fmt::format("{} is {}, expected an object", printable(key_), what));
      case Place::metadata:
        return fail(fmt::format("metadata {} is {}, expected a string", printable(key_), what));
      case Place::tensor:
        return fail(fmt::format("tensor {}: '{}' is {}, expected {}", printable(tensor_.name), key_,
                                what, key_ == "dtype" ? "a string" : "a list"));
      case Place::shape:
      case Place::offsets:
        break;
    }
    return fail(fmt::format("tensor {}: '{}' contains {}, expected integers from 0",
                            printable(tensor_.name), key_, what));
  }
  std::string two_offsets() const {
    return fmt::format("tensor {}: 'data_offsets' must hold two numbers", printable(tensor_.name));
  }

  SafetensorsHeader& header_;
  Place place_ = Place::outside;
  TensorInfo tensor_;
  int offsets_ = 0;
  std::string key_;
  std::set<std::string> names_;
  std::set<std::string> fields_;
  std::string problem_;
};

/// Bytes of a tensor, or the reason why it cannot exist. Sizes of 0 count as 1 for the overflow
/// check: torch multiplies the others when it computes strides.
std::uint64_t checked_bytes(const TensorInfo& info, const std::string& file) {
  const auto fail = [&](const std::string& why) -> std::uint64_t {
    throw Error(ErrorKind::model,
                fmt::format("{}: tensor {}: {}", file, printable(info.name), why));
  };
  const StoredDtype* dtype = find_dtype(info.dtype);
  if (dtype == nullptr)
    return fail(fmt::format("dtype {} is not supported", printable(info.dtype)));
  std::int64_t bound = static_cast<std::int64_t>(dtype->bytes);
  bool empty = false;
  for (const std::int64_t size : info.shape) {
    empty = empty || size == 0;
    if (size > 0 && __builtin_mul_overflow(bound, size, &bound)) {
      return fail(fmt::format("shape [{}] is too large", fmt::join(info.shape, ", ")));
    }
  }
  return empty ? 0 : static_cast<std::uint64_t>(bound);
}

void check_ranges(const std::vector<TensorInfo>& tensors, std::uint64_t data_bytes,
                  const std::string& file) {
  std::uint64_t position = 0;
  for (const TensorInfo& info : tensors) {
    const auto fail = [&](const std::string& why) {
      throw Error(ErrorKind::model,
                  fmt::format("{}: tensor {}: {}", file, printable(info.name), why));
    };
    const std::uint64_t bytes = checked_bytes(info, file);
    if (info.end < info.begin) {
      fail(fmt::format("data range {} to {} runs backwards", info.begin, info.end));
    }
    if (info.end - info.begin != bytes) {
      fail(fmt::format("{} of shape [{}] takes {} bytes, but its data range {} to {} has {}",
                       info.dtype, fmt::join(info.shape, ", "), bytes, info.begin, info.end,
                       info.end - info.begin));
    }
    if (info.end > data_bytes) {
      fail(
          fmt::format("data ends at byte {}, but the file has only {} bytes of data; the file is "
                      "cut off or damaged",
                      info.end, data_bytes));
    }
    if (info.begin < position) {
      fail(fmt::format("data range {} to {} overlaps another tensor", info.begin, info.end));
    }
    if (info.begin > position) {
      fail(fmt::format("data starts at byte {}, which leaves a hole of {} bytes before it",
                       info.begin, info.begin - position));
    }
    position = info.end;
  }
  if (position != data_bytes) {
    throw Error(ErrorKind::model,
                fmt::format("{}: {} bytes after the last tensor", file, data_bytes - position));
  }
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view json, std::uint64_t data_bytes,
                                           const std::string& file) {
  SafetensorsHeader header;
  HeaderReader reader(header);
  const auto fail_header = [&](const std::string& why) {
    throw Error(ErrorKind::model, fmt::format("{}: header: {}", file, why));
  };
  // The format wants '{' first, where JSON would also allow white space. nlohmann takes a zero
  // byte for the end of the text.
  if (json.empty() || json.front() != '{') fail_header("does not begin with '{'");
  if (const auto zero = json.find('\0'); zero != std::string_view::npos) {
    fail_header(fmt::format("not valid JSON at byte {}", zero));
  }
  if (!Json::sax_parse(json, &reader)) fail_header(reader.problem());
  std::stable_sort(header.tensors.begin(), header.tensors.end(),
                   [](const TensorInfo& a, const TensorInfo& b) {
                     return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
                   });
  check_ranges(header.tensors, data_bytes, file);
  return header;
}

std::string layout_safetensors(std::vector<TensorInfo>& tensors,
                               const std::map<std::string, std::string>& metadata) {
  const auto element_bytes = [](const TensorInfo& info) { return find_dtype(info.dtype)->bytes; };
  // Wide elements first keep every tensor aligned for its dtype without padding, which the format
  // forbids.
  std::sort(tensors.begin(), tensors.end(), [&](const TensorInfo& a, const TensorInfo& b) {
    const auto bytes_a = element_bytes(a), bytes_b = element_bytes(b);
    return bytes_a != bytes_b ? bytes_a > bytes_b : a.name < b.name;
  });
  std::uint64_t position = 0;
  std::string json = "{";
  if (!metadata.empty()) json += "\"__metadata__\":" + Json(metadata).dump();
  for (TensorInfo& info : tensors) {
    info.begin = position;
    info.end = position += static_cast<std::uint64_t>(info.numel()) * element_bytes(info);
    if (json.size() > 1) json += ',';
    json += fmt::format(R"({}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                        Json(info.name).dump(), info.dtype, fmt::join(info.shape, ","), info.begin,
                        info.end);
  }
  json += '}';
  json.resize((json.size() + 7) / 8 * 8, ' ');
  std::string out(8, '\0');
  for (int i = 0; i < 8; ++i) out[i] = static_cast<char>(json.size() >> (8 * i));
  return out + json;
}

}  // namespace svd::weights
