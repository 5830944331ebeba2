#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/model_config.h"
#include "weights/lora.h"

namespace svd::weights {

enum class Layout {
  diffusers_folder,  ///< unet/ vae/ image_encoder/ scheduler/ feature_extractor/
  single_file,       ///< Stability's one .safetensors with published sgm names
};

/// The three networks a model consists of.
enum class Part { unet, vae, image_encoder };

const char* to_string(Layout layout);
const char* to_string(Part part);

/// Counts of one part for `svd-gen inspect`.
struct PartSummary {
  std::string name;  ///< folder ("unet") or key prefix ("model.diffusion_model.")
  std::int64_t tensors = 0;
  std::int64_t parameters = 0;
  std::int64_t bytes = 0;
  std::map<std::string, std::int64_t> dtypes;  ///< safetensors dtype name -> tensors
};

/// An opened model: files mapped, headers and configurations validated, no weights read.
/// Keys are diffusers' names whatever the layout. Const members may be called from several threads.
class Checkpoint {
 public:
  /// `path` is a diffusers folder or a single .safetensors file, told apart by content. Throws
  /// Error{model} naming file, key or value.
  static Checkpoint open(const std::filesystem::path& path);

  ~Checkpoint();
  Checkpoint(Checkpoint&&) noexcept;
  Checkpoint& operator=(Checkpoint&&) noexcept;

  const std::filesystem::path& path() const;
  Layout layout() const;
  std::string variant() const;  ///< "svd", "svd-xt", ... as far as known, for people
  const ModelConfig& config() const;
  const std::vector<std::string>& notices() const;  ///< assumptions made, worth telling the user
  std::vector<PartSummary> parts() const;

  /// From now on the UNet's weights are read with this change added. Throws Error{model} if it is
  /// not for this UNet.
  void add_lora(Lora lora);

  /// What tells these weights from others: a hash over names (as stored), dtypes and shapes of all
  /// tensors and over samples of their bytes, as 32 hexadecimal digits. A copy has the same;
  /// another layout has another. LoRAs count. Reads a few kilobytes a tensor.
  std::string id() const;

  /// Compares one part with what the networks declare. Returns one line for each missing,
  /// unexpected and mis-shaped key (empty: complete). Throws nothing about keys.
  std::vector<std::string> mismatches(Part part, const std::vector<ExpectedTensor>& expected) const;

  /// One tensor under its diffusers name, contiguous, as `dtype`. Zero-copy (a view of the mapped
  /// file) where dtype, layout and alignment allow and no LoRA changes it; otherwise converted, and
  /// the source pages are given back to the system. The tensor keeps the mapping alive. Throws
  /// Error{model}.
  at::Tensor read(Part part, const std::string& name, at::ScalarType dtype) const;

  /// Asks the system to read a tensor's pages ahead.
  void prefetch(Part part, const std::string& name) const;

  /// Gives the pages of a tensor back to the system after a view from `read` has been copied. Views
  /// stay valid; their pages are read again when touched.
  void release(Part part, const std::string& name) const;

 private:
  struct State;
  explicit Checkpoint(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace svd::weights
