#pragma once

#include "svd/request.h"

namespace svd {

/// The stages of a render, in order.
enum class Stage {
  load_conditioning,  ///< image encoder and VAE encoder weights
  condition,          ///< CLIP embedding and image latents
  load_unet,
  sample,  ///< one unit a denoising step
  load_decoder,
  decode,  ///< one unit a frame, encoding included
};

/// Name of a stage as progress output and JSON spell it, for example "load_unet".
const char* to_string(Stage stage);

/// Receives progress. The engine never prints; all calls come from the thread that called
/// Generator::run. Every method may be ignored.
class Observer {
 public:
  virtual ~Observer() = default;
  /// `total` units of work follow; 0 when the stage has no units.
  virtual void on_stage_begin(Stage stage, int total) { (void)stage, (void)total; }
  virtual void on_progress(Stage stage, int done, int total) {
    (void)stage, (void)done, (void)total;
  }
  virtual void on_stage_end(Stage stage, double seconds) { (void)stage, (void)seconds; }

  /// A part of the stage's work gave no usable values in number format `from` and is done once more
  /// in float32. The stage, and the loading before it, may begin anew.
  virtual void on_retry(Stage stage, Dtype from) { (void)stage, (void)from; }
};

}  // namespace svd
