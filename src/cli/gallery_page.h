#pragma once

#include <filesystem>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace svd::cli {

/// How a browser shows a file.
enum class Showing {
  video,
  picture,  ///< still or animated
  link,     ///< browsers do not play it
};

/// One clip of a gallery. All text may be hostile: the page escapes it.
struct GalleryClip {
  std::string name;            ///< relative to the folder, for people
  std::filesystem::path file;  ///< of numbered frames the first
  std::string address;         ///< from the page to `file`, percent-encoded
  Showing showing = Showing::link;
  std::string media_type;                                     ///< "video/mp4"
  std::vector<std::pair<std::string, std::string>> settings;  ///< in the order they are shown
};

/// A relative path as the address in a link of a page.
std::string percent_encoded(const std::filesystem::path& relative);

/// Writes the page, with the clips inside (`link`: by their addresses). It works without a network
/// and its Content-Security-Policy forbids any. Throws Error{image} naming a clip that cannot be
/// read.
void write_gallery_page(std::ostream& out, const std::string& title,
                        const std::vector<GalleryClip>& clips, bool link);

}  // namespace svd::cli
