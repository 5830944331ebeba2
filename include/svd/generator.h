#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "svd/frame_sink.h"
#include "svd/image.h"
#include "svd/latents.h"
#include "svd/memory_plan.h"
#include "svd/observer.h"
#include "svd/request.h"
#include "svd/result.h"

namespace svd {

/// Which model to open. `model` is a name of models/*.json or a path; unset: svd for at most 14
/// frames, else svd-xt.
struct ModelOptions {
  std::optional<std::string> model;
  std::optional<std::filesystem::path> models_dir;
  std::optional<int> frames;
  /// Low-rank changes of the UNet, "NAME_OR_FILE[:strength]": a file, or NAME.safetensors in the
  /// folder loras of the model or of models_dir. They add up.
  std::vector<std::string> loras;
};

/// What an opened model is, without its weights.
struct ModelSummary {
  std::string name;  ///< manifest name, or the path as given
  std::filesystem::path path;
  std::string
      notice;  ///< to be shown once before rendering (licence, demonstration model); may be empty
};

/// Renders videos from one model. Construction finds the model, reads its headers and
/// configurations and checks every key and shape, without loading weights.
class Generator {
 public:
  /// Throws Error{model}.
  explicit Generator(const ModelOptions& options);
  ~Generator();
  Generator(Generator&&) noexcept;
  Generator& operator=(Generator&&) noexcept;

  const ModelSummary& model() const;

  /// What tells this model's weights from others: 32 hexadecimal digits over names, types and
  /// shapes of all tensors and samples of their bytes. The same for a copy of the same file; a
  /// folder and a single file of the same model differ. Reads a few megabytes at each call.
  std::string model_id() const;

  /// Whether UNet and decoder stay loaded after a run, where the memory plan allows it, so that the
  /// next run with the same number formats and profile need not load them again. The pixels are the
  /// same. Off at first; switching it off gives their memory back.
  void set_keep_networks(bool keep);

  /// Fills what `options` leaves open from profile, model, device and the input's shape
  /// (`source_width` x `source_height`, upright) and draws a seed if none is given. Throws
  /// Error{usage} and Error{device}. Warnings (values the model was not trained on) are appended.
  Request resolve(const RequestOptions& options, int source_width, int source_height,
                  std::vector<std::string>* warnings = nullptr) const;

  /// How `run` would use memory now, for a sink of `bit_depth`. Throws Error{device} if the request
  /// cannot fit, with settings that do.
  MemoryPlan plan(const Request& request, int bit_depth = 8) const;

  /// Renders `request.frames` frames into `sink` and finishes it. Blocking. What gives values that
  /// are no numbers, or black frames of a picture that is not black, is computed once more in
  /// float32. Throws Error, Error{internal} where that did not help; Error{interrupted} soon after
  /// `stop` was requested.
  Result run(const Request& request, const InputImages& images, FrameSink& sink, Observer& observer,
             std::stop_token stop = {});

  /// Decodes the latents that a render saved in `latents_path` into `sink` and finishes it. Of
  /// `request`, what concerns decoding counts: decode_chunk, vae_dtype, profile, device, threads
  /// and memory; frames, width and height are those of the file, as is Result::request. Throws like
  /// `run`, Error{usage} for a file that this model cannot decode.
  Result decode(const Request& request, const std::string& latents_path, FrameSink& sink,
                Observer& observer, std::stop_token stop = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace svd
