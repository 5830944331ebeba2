#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "media/video_reader.h"

namespace svd::media {

/// What a user typed, taken apart.
struct InputName {
  std::string path;               ///< a file, or "-" for standard input
  std::optional<FrameTime> time;  ///< of CLIP@TIME
};

/// Takes "12.5", "12.5s", "750ms", "1:02.5", "00:01:02.5" or "end"; nothing else.
std::optional<FrameTime> parse_time(std::string_view text);

/// Splits CLIP@TIME unless a file of that whole name exists. Throws Error{usage} if CLIP exists
/// and TIME is no time.
InputName parse_input_name(const std::string& input);

/// Whether it begins with http:// or https://.
bool is_address(std::string_view input);

/// The address without what may be secret: user, password, query and fragment.
std::string public_address(std::string_view address);

/// What follows the last slash, or all of it when that is nothing.
std::string last_part(const std::string& path);

}  // namespace svd::media
