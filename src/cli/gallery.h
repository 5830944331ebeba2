#pragma once

#include "cli/console.h"
#include "cli/options.h"

namespace svd::cli {

/// Writes one HTML page with every clip below a folder that says how it was made, sortable by any
/// setting. It needs no server and loads nothing from elsewhere; with `link` it refers to the clips
/// by relative paths instead of embedding them. Throws Error{image} where the folder holds no clip,
/// Error{output} if the page cannot be written.
void gallery(const GalleryOptions& options, Console& console);

}  // namespace svd::cli
