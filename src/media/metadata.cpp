#include "media/metadata.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "media/file_bytes.h"
#include "media/libav.h"
#include "media/output_name.h"
#include "media/png_text.h"
#include "media/sidecar.h"

namespace svd::media {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLargest = 16 << 20;

[[noreturn]] void fail(const fs::path& path, const std::string& what) {
  throw Error(ErrorKind::image, "cannot read " + path.string() + ": " + what);
}

std::string checked(std::string text, const fs::path& path) {
  if (text.size() > kLargest) fail(path, "more than 16 MB of metadata");
  return text;
}

std::string_view text_of(const std::vector<std::uint8_t>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The demuxer for a file that begins like this, null for files that keep no metadata.
const char* demuxer_of(const std::vector<std::uint8_t>& bytes) {
  const std::string_view text = text_of(bytes);
  if (text.size() >= 8 && text.substr(4, 4) == "ftyp") return "mov";
  return text.starts_with("\x1A\x45\xDF\xA3") ? "matroska" : nullptr;
}

std::optional<std::string> comment_of(const fs::path& path, const char* demuxer_name) {
  libav::silence();
  AVDictionary* options = nullptr;
  av_dict_set(&options, "protocol_whitelist", "file", 0);
  AVFormatContext* context = nullptr;
  const int code = avformat_open_input(&context, ("file:" + path.string()).c_str(),
                                       av_find_input_format(demuxer_name), &options);
  av_dict_free(&options);
  if (code < 0) fail(path, "a damaged video");
  const libav::Demuxer demuxer(context);
  if (demuxer->nb_streams == 0) fail(path, "a damaged video");
  const AVDictionaryEntry* comment = av_dict_get(demuxer->metadata, "comment", nullptr, 0);
  if (comment == nullptr) return {};
  return checked(comment->value, path);
}

std::optional<std::string> read_sidecar(const fs::path& path) {
  std::error_code code;
  if (!fs::is_regular_file(path, code)) return {};  // a pipe would be waited for
  const auto bytes = read_file(path, kLargest + 2);
  if (!bytes) return {};
  std::string text(text_of(*bytes));
  if (text.ends_with('\n')) text.pop_back();
  return checked(std::move(text), path);
}

/// "f.json" for the frame "f_0003.jpg".
fs::path sidecar_of_frame(const fs::path& frame) {
  std::string stem = frame.stem().string();
  while (!stem.empty() && stem.back() >= '0' && stem.back() <= '9') stem.pop_back();
  const std::string pattern = stem + "%d" + frame.extension().string();
  return sidecar_name(parent_folder(frame) / pattern);
}

std::optional<std::string> metadata_of_file(const fs::path& path) {
  // A PNG of ours has the chunk behind its header.
  constexpr std::size_t around = 4096;
  const auto bytes = read_file(path, kLargest + around);
  if (!bytes) fail(path, "no such file");
  std::optional<std::string> found;
  if (const char* demuxer = demuxer_of(*bytes))
    found = comment_of(path, demuxer);
  else if (is_png_file(*bytes))
    found = png_comment(*bytes, kLargest);
  if (!found) found = read_sidecar(sidecar_name(path));
  const std::string stem = path.stem().string();
  const bool is_frame = !stem.empty() && stem.back() >= '0' && stem.back() <= '9';
  return found || !is_frame ? found : read_sidecar(sidecar_of_frame(path));
}

/// The first frame that `name` makes in a folder, by its number.
std::optional<fs::path> first_frame(const fs::path& folder, const NumberedName& name) {
  std::vector<std::string> frames;
  std::error_code code;
  for (auto entry = fs::directory_iterator(folder, code);
       !code && entry != fs::directory_iterator(); entry.increment(code)) {
    const std::string file = entry->path().filename().string();
    if (name.matches(file)) frames.push_back(file);
  }
  if (code) fail(folder, code.message());
  if (frames.empty()) return {};
  return folder / *std::min_element(frames.begin(), frames.end(), [](const auto& a, const auto& b) {
           return a.size() != b.size() ? a.size() < b.size() : a < b;
         });
}

std::optional<std::string> metadata_of_frames(const fs::path& sequence, const fs::path& folder,
                                              const NumberedName& name) {
  if (const auto frame = first_frame(folder, name)) {
    if (auto found = metadata_of_file(*frame)) return found;
  }
  return read_sidecar(sidecar_name(sequence));
}

}  // namespace

std::optional<std::string> read_metadata(const fs::path& path) {
  std::error_code code;
  if (fs::is_directory(path, code)) {
    const fs::path folder = path.has_filename() ? path : path.parent_path();
    return metadata_of_frames(folder / "", folder, folder_frame_name("png"));
  }
  const auto pattern = parse_numbered_name(path.filename().string());
  if (pattern && !fs::exists(path, code))
    return metadata_of_frames(path, parent_folder(path), *pattern);
  return metadata_of_file(path);
}

}  // namespace svd::media
