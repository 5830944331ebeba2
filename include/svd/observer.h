#pragma once

#include <vector>

#include "svd/image.h"
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

  /// Whether `on_preview` is wanted. Asked once, before sampling; without it no preview is
  /// computed.
  virtual bool wants_preview() const { return false; }
  /// After sampling step `step` (1 .. steps): the clip as the model estimates it now, one picture a
  /// frame, one pixel a cell of the latents (an eighth of the video's size).
  virtual void on_preview(int step, const std::vector<Image>& frames) { (void)step, (void)frames; }
};

}  // namespace svd
