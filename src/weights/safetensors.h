#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace svd::weights {

/// One entry of a safetensors header.
struct TensorInfo {
  std::string name;
  std::string dtype;  ///< as written in the file: "F32", "BF16", ...
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;  ///< byte range in the data section
  std::uint64_t end = 0;

  std::int64_t numel() const;
};

/// A mapped, fully validated safetensors file (format: huggingface/safetensors README). Header
/// length, JSON, duplicate names, dtype size against shape, overflow, overlaps, holes and trailing
/// bytes are checked on opening; nothing is allocated in proportion to unchecked numbers.
class SafetensorsFile {
 public:
  /// Throws Error{model} with file, tensor and reason. Pickle files (.ckpt, .pt, .bin) are refused.
  static std::shared_ptr<SafetensorsFile> open(const std::filesystem::path& path);
  ~SafetensorsFile();
  SafetensorsFile(const SafetensorsFile&) = delete;
  SafetensorsFile& operator=(const SafetensorsFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  const std::vector<TensorInfo>& tensors() const { return tensors_; }  ///< in file order
  const TensorInfo* find(const std::string& name) const;               ///< null: not there
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  /// A tensor in its stored dtype. A view of the mapping where the data is aligned for its dtype,
  /// else a copy. The tensor keeps the mapping alive and must not be written to.
  at::Tensor tensor(const TensorInfo& info) const;

  /// 64 bytes each from start, middle and end of a tensor's data; all of it if it has no more.
  /// Reads the pages around them only.
  std::string sample(const TensorInfo& info) const;

  /// Asks the system to read the tensor's pages ahead, without waiting for them.
  void prefetch(const TensorInfo& info) const;

  /// Tells the system that the tensor's pages are not needed any more.
  void release(const TensorInfo& info) const;

 private:
  SafetensorsFile() = default;
  void advise(const TensorInfo& info, int advice) const;
  std::filesystem::path path_;
  std::vector<TensorInfo> tensors_;
  std::map<std::string, std::size_t> index_;
  std::map<std::string, std::string> metadata_;
  struct Mapping;
  std::shared_ptr<Mapping> mapping_;
  std::uint64_t data_offset_ = 0;
};

/// Writes tensors (any device, made contiguous) atomically: temporary file beside `path`, fsync,
/// rename over an existing file. Throws Error{output}.
void save_safetensors(const std::filesystem::path& path,
                      const std::vector<std::pair<std::string, at::Tensor>>& tensors,
                      const std::map<std::string, std::string>& metadata = {});

}  // namespace svd::weights
