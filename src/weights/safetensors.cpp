#include "weights/safetensors.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/ne.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>
#include <string_view>
#include <system_error>

#include "base/atomic_file.h"
#include "base/json.h"
#include "svd/error.h"
#include "weights/dtypes.h"
#include "weights/safetensors_header.h"

namespace svd::weights {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& why,
                       const std::string& hint = {}) {
  throw Error(ErrorKind::model, path.string() + ": " + why, hint);
}

[[noreturn]] void refuse_pickle(const std::filesystem::path& path) {
  fail(path,
       "is a Python pickle (.ckpt, .pt, .pth, .bin), which can run any program when it is opened; "
       "svd-gen does not read it",
       "use the .safetensors file of the same model, or convert it with a tool you trust");
}

bool has_pickle_name(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  static const std::set<std::string> kNames = {".ckpt", ".pt", ".pth", ".bin", ".pkl", ".pickle"};
  return kNames.contains(extension);
}

/// Names what a file is that cannot be safetensors. `head` is its beginning.
[[noreturn]] void refuse_other(const std::filesystem::path& path, std::string_view head,
                               const std::string& otherwise) {
  const auto starts = [&](std::string_view magic) { return head.substr(0, magic.size()) == magic; };
  const bool pickle = head.size() >= 2 && head[0] == '\x80' && head[1] >= 2 && head[1] <= 5;
  if (pickle || starts("PK\x03\x04") || has_pickle_name(path)) refuse_pickle(path);
  if (starts("version https://git-lfs")) {
    fail(path, "is a Git LFS pointer, not the file itself", "run 'git lfs pull' in its repository");
  }
  if (starts("GGUF")) fail(path, "is a GGUF file; svd-gen reads .safetensors");
  if (starts("<!DOCTYPE") || starts("<!doctype") || starts("<html")) {
    fail(path, "is a web page, not a model", "download the file again; a login may be needed");
  }
  fail(path, otherwise);
}

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

std::string_view native_bytes(const at::Tensor& tensor) {
  return {static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()};
}

}  // namespace

struct SafetensorsFile::Mapping {
  const char* data = nullptr;
  std::size_t size = 0;

  Mapping() = default;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (data != nullptr) ::munmap(const_cast<char*>(data), size);
  }

  static std::shared_ptr<Mapping> open(const std::filesystem::path& path) {
    // Non-blocking: opening a named pipe must not wait for a writer.
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) fail(path, std::generic_category().message(errno));
    struct stat status {};
    const bool regular = ::fstat(file, &status) == 0 && S_ISREG(status.st_mode);
    auto mapping = std::make_shared<Mapping>();
    mapping->size = regular ? static_cast<std::size_t>(status.st_size) : 0;
    void* data = mapping->size == 0
                     ? MAP_FAILED
                     : ::mmap(nullptr, mapping->size, PROT_READ, MAP_PRIVATE, file, 0);
    const int error = errno;
    ::close(file);
    if (!regular) fail(path, "is not a file");
    if (mapping->size == 0) fail(path, "is empty");
    if (data == MAP_FAILED) fail(path, std::generic_category().message(error));
    mapping->data = static_cast<const char*>(data);
    return mapping;
  }
};

std::int64_t TensorInfo::numel() const {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  return count;
}

std::shared_ptr<SafetensorsFile> SafetensorsFile::open(const std::filesystem::path& path) {
  const std::string file = path.string();
  std::shared_ptr<SafetensorsFile> result(new SafetensorsFile);
  result->path_ = path;
  result->mapping_ = Mapping::open(path);
  const std::string_view bytes(result->mapping_->data, result->mapping_->size);
  if (bytes.size() < 8) {
    refuse_other(path, bytes,
                 fmt::format("has {} bytes, too short for a safetensors file", bytes.size()));
  }
  const std::uint64_t header_bytes = little_endian(bytes);
  if (header_bytes > kMaxHeaderBytes) {
    refuse_other(
        path, bytes,
        fmt::format("is not a safetensors file: its header would have {} bytes, at most {} "
                    "are allowed",
                    header_bytes, kMaxHeaderBytes));
  }
  if (header_bytes > bytes.size() - 8) {
    refuse_other(path, bytes,
                 fmt::format("its header should have {} bytes, but the file ends after {}; it is "
                             "cut off or no safetensors file",
                             header_bytes, bytes.size() - 8));
  }
  const std::string_view json = bytes.substr(8, header_bytes);
  if (json.empty() || json.front() != '{') {
    refuse_other(path, bytes, "is not a safetensors file: its header does not begin with '{'");
  }
  result->data_offset_ = 8 + header_bytes;
  SafetensorsHeader header =
      parse_safetensors_header(json, bytes.size() - result->data_offset_, file);
  result->tensors_ = std::move(header.tensors);
  result->metadata_ = std::move(header.metadata);
  for (std::size_t i = 0; i < result->tensors_.size(); ++i) {
    result->index_.emplace(result->tensors_[i].name, i);
  }
  return result;
}

SafetensorsFile::~SafetensorsFile() = default;

const TensorInfo* SafetensorsFile::find(const std::string& name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

at::Tensor SafetensorsFile::tensor(const TensorInfo& info) const {
  const StoredDtype* dtype = find_dtype(info.dtype);
  const char* data = mapping_->data + data_offset_ + info.begin;
  if (reinterpret_cast<std::uintptr_t>(data) % dtype->bytes != 0) {
    at::Tensor copy = at::empty(info.shape, dtype->type);
    // A tensor without elements has no memory, not even for a copy of nothing.
    if (info.end > info.begin) std::memcpy(copy.mutable_data_ptr(), data, info.end - info.begin);
    release(info);
    return copy;
  }
  const auto keep = [mapping = mapping_](void*) {};
  const bool truth = dtype->type == at::ScalarType::Bool;
  const at::Tensor view = at::from_blob(const_cast<char*>(data), info.shape, keep,
                                        truth ? at::ScalarType::Byte : dtype->type);
  // A bool of any other value than 0 and 1 is undefined in C++, and the file may hold any.
  return truth ? at::ne(view, 0) : view;
}

std::string SafetensorsFile::sample(const TensorInfo& info) const {
  constexpr std::uint64_t kPiece = 64;
  const std::string_view data(mapping_->data + data_offset_ + info.begin, info.end - info.begin);
  if (data.size() <= 3 * kPiece) return std::string(data);
  advise(info, MADV_RANDOM);  // else the system reads on after each of the pieces
  std::string pieces;
  for (const std::uint64_t begin :
       {std::uint64_t{0}, (data.size() - kPiece) / 2, data.size() - kPiece})
    pieces += data.substr(begin, kPiece);
  advise(info, MADV_NORMAL);
  return pieces;
}

void SafetensorsFile::prefetch(const TensorInfo& info) const { advise(info, MADV_WILLNEED); }

void SafetensorsFile::release(const TensorInfo& info) const { advise(info, MADV_DONTNEED); }

void SafetensorsFile::advise(const TensorInfo& info, int advice) const {
  if (info.end == info.begin) return;
  // Whole pages, rounded outwards: the pages are clean, so a neighbour only reads them again.
  static const std::uint64_t kPage = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::uint64_t begin = (data_offset_ + info.begin) / kPage * kPage;
  const std::uint64_t end = data_offset_ + info.end;
  ::madvise(const_cast<char*>(mapping_->data) + begin, end - begin, advice);
}

void save_safetensors(const std::filesystem::path& path,
                      const std::vector<std::pair<std::string, at::Tensor>>& tensors,
                      const std::map<std::string, std::string>& metadata) {
  std::map<std::string, const at::Tensor*> by_name;
  std::vector<TensorInfo> infos;
  for (const auto& [name, tensor] : tensors) {
    const StoredDtype* dtype = find_dtype(tensor.scalar_type());
    if (dtype == nullptr || name == "__metadata__" || !by_name.emplace(name, &tensor).second) {
      throw Error(ErrorKind::output,
                  fmt::format("{}: tensor {} cannot be stored: {}", path.string(), printable(name),
                              dtype == nullptr ? "its dtype has no place in the format"
                                               : "its name is taken"));
    }
    infos.push_back({name, dtype->name, tensor.sizes().vec()});
  }
  const std::string header = layout_safetensors(infos, metadata);

  AtomicPath target(path, AtomicPath::Type::file);
  std::ofstream file(target.temporary_path(), std::ios::binary | std::ios::trunc);
  file << header;
  for (const TensorInfo& info : infos) {
    const at::Tensor tensor = by_name.at(info.name)->detach().cpu().contiguous();
    file << native_bytes(tensor);
  }
  file.close();
  if (!file) {
    throw Error(ErrorKind::output,
                path.string() + ": writing failed: " + std::generic_category().message(errno));
  }
  target.commit(true);
}

}  // namespace svd::weights
