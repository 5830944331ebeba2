#include "cli/gallery_page.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <random>
#include <set>
#include <span>
#include <string_view>

#include "cli/gallery_assets.h"
#include "svd/error.h"

namespace svd::cli {
namespace {

std::string escaped(std::string_view text) {
  std::string html;
  for (const char c : text) {
    switch (c) {
      case '&':
        html += "&amp;";
        break;
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '"':
        html += "&quot;";
        break;
      case '\'':
        html += "&#39;";
        break;
      default:
        html += c;
    }
  }
  return html;
}

void write_base64(std::ostream& out, std::span<const char> bytes) {
  constexpr const char* kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t bits = 0;
    for (std::size_t j = 0; j < 3; ++j)
      bits = bits << 8 | (j < count ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    for (std::size_t j = 0; j < 4; ++j)
      text += j <= count ? kDigits[bits >> (18 - 6 * j) & 63] : '=';
  }
  out << text;
}

void write_data(std::ostream& out, const GalleryClip& clip) {
  constexpr std::size_t kPart = 3 << 18;  // of three bytes each, so that parts join seamlessly
  std::ifstream file(clip.file, std::ios::binary);
  if (!file) throw Error(ErrorKind::image, clip.file.string() + ": cannot be read");
  out << "data:" << clip.media_type << ";base64,";
  std::string part(kPart, '\0');
  do {
    file.read(part.data(), static_cast<std::streamsize>(part.size()));
    write_base64(out, std::span(part).first(static_cast<std::size_t>(file.gcount())));
  } while (file);
  if (file.bad()) throw Error(ErrorKind::image, clip.file.string() + ": reading failed");
}

const std::string* setting(const GalleryClip& clip, const std::string& key) {
  for (const auto& [name, value] : clip.settings)
    if (name == key) return &value;
  return nullptr;
}

/// Every setting, in the order of the first clip that has it.
std::vector<std::string> all_keys(const std::vector<GalleryClip>& clips) {
  std::vector<std::string> keys;
  std::set<std::string> seen;
  for (const GalleryClip& clip : clips)
    for (const auto& [key, value] : clip.settings)
      if (seen.insert(key).second) keys.push_back(key);
  return keys;
}

std::set<std::string> differing_keys(const std::vector<GalleryClip>& clips,
                                     const std::vector<std::string>& keys) {
  std::set<std::string> differing;
  for (const std::string& key : keys) {
    const std::string* const first = setting(clips.front(), key);
    const bool same = std::all_of(clips.begin(), clips.end(), [&](const GalleryClip& clip) {
      const std::string* const value = setting(clip, key);
      return value && first ? *value == *first : value == first;
    });
    if (!same) differing.insert(key);
  }
  return differing;
}

/// Room for the clip before it is loaded.
std::string size_attributes(const GalleryClip& clip) {
  std::string attributes;
  for (const char* key : {"width", "height"}) {
    const std::string* const text = setting(clip, key);
    int pixels = 0;
    if (text == nullptr) return {};
    const auto [end, status] = std::from_chars(text->data(), text->data() + text->size(), pixels);
    if (status != std::errc() || end != text->data() + text->size() || pixels < 1) return {};
    attributes += std::string(" ") + key + "=\"" + std::to_string(pixels) + "\"";
  }
  return attributes;
}

void write_source(std::ostream& out, const GalleryClip& clip, bool link) {
  out << " src=\"";
  if (link)
    out << escaped(clip.address);
  else
    write_data(out, clip);
  out << "\"";
}

void write_figure(std::ostream& out, const GalleryClip& clip, bool link) {
  const std::string name = escaped(clip.name);
  out << "<figure>";
  switch (clip.showing) {
    case Showing::video:
      out << "<video muted loop playsinline controls preload=\"metadata\" aria-label=\"" << name
          << "\" data-name=\"" << escaped(clip.file.filename().string()) << "\""
          << size_attributes(clip);
      write_source(out, clip, link);
      out << "></video>";
      break;
    case Showing::picture:
      out << "<img alt=\"" << name << "\" loading=\"lazy\"" << size_attributes(clip);
      write_source(out, clip, link);
      out << ">";
      break;
    case Showing::link:
      out << "<p>Browsers do not play it: <a href=\"" << escaped(clip.address) << "\">open " << name
          << "</a></p>";
      break;
  }
  out << "</figure>\n";
}

/// The settings of a clip that are (or are not) among `keys`.
std::string setting_list(const GalleryClip& clip, const std::set<std::string>& keys, bool among) {
  std::string rows;
  for (const auto& [key, value] : clip.settings) {
    if (keys.contains(key) != among) continue;
    const std::string name = escaped(key);
    rows += "<dt>" + name + "</dt><dd data-key=\"" + name + "\">" + escaped(value) + "</dd>\n";
  }
  return rows.empty() ? rows : "<dl>\n" + rows + "</dl>\n";
}

void write_card(std::ostream& out, const GalleryClip& clip, const std::set<std::string>& differing,
                bool link) {
  out << "<article class=\"card\">\n";
  write_figure(out, clip, link);
  out << "<h2>" << escaped(clip.name) << "</h2>\n" << setting_list(clip, differing, true);
  const std::string rest = setting_list(clip, differing, false);
  if (!rest.empty())
    out << "<details><summary>" << (differing.empty() ? "Settings" : "Other settings")
        << "</summary>\n"
        << rest << "</details>\n";
  out << "</article>\n";
}

void write_controls(std::ostream& out, const std::vector<std::string>& keys,
                    const std::set<std::string>& differing) {
  out << "<form>\n"
         "<label>Filter <input type=\"search\" name=\"filter\" autocomplete=\"off\" "
         "placeholder=\"words or steps=25\"></label>\n"
         "<label>Sort by <select name=\"sort\">\n<option value=\"\">name</option>\n";
  for (const bool differs : {true, false}) {
    out << "<optgroup label=\"" << (differs ? "Settings that differ" : "The same for all")
        << "\">\n";
    for (const std::string& key : keys) {
      if (differing.contains(key) != differs) continue;
      out << "<option value=\"" << escaped(key) << "\">" << escaped(key) << "</option>\n";
    }
    out << "</optgroup>\n";
  }
  out << "</select></label>\n"
         "<label>Order <select name=\"order\"><option value=\"\">ascending</option>"
         "<option value=\"descending\">descending</option></select></label>\n"
         "<button type=\"button\" name=\"play\">Pause all</button>\n"
         "</form>\n";
}

/// Whatever text found its way into the page, it cannot know this.
std::string draw_nonce() {
  std::random_device random;
  std::string nonce;
  for (int i = 0; i < 4; ++i) nonce += fmt::format("{:08x}", random());
  return nonce;
}

void write_head(std::ostream& out, const std::string& title, const std::string& nonce, bool link) {
  // 'self' is nothing for pages from a file, so these are named too.
  const char* const places = link ? "data: 'self' file:" : "data:";
  out << "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      << "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src "
      << places << "; media-src " << places << "; style-src 'nonce-" << nonce
      << "'; script-src 'nonce-" << nonce << "'; base-uri 'none'; form-action 'none'\">\n"
      << "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      << "<meta name=\"generator\" content=\"svd-gen\">\n"
      << "<title>" << escaped(title) << "</title>\n<style nonce=\"" << nonce << "\">"
      << kGalleryStyle << "</style>\n</head>\n";
}

}  // namespace

std::string percent_encoded(const std::filesystem::path& relative) {
  constexpr const char* kDigits = "0123456789ABCDEF";
  std::string address;
  for (const char c : relative.generic_string()) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("/._-~").find(c) != std::string_view::npos;
    if (plain)
      address += c;
    else
      address += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return "./" + address;  // so that no name looks like a scheme
}

void write_gallery_page(std::ostream& out, const std::string& title,
                        const std::vector<GalleryClip>& clips, bool link) {
  const std::vector<std::string> keys = all_keys(clips);
  const std::set<std::string> differing = differing_keys(clips, keys);
  const std::string nonce = draw_nonce();
  write_head(out, title, nonce, link);
  out << "<body>\n<header>\n<h1>" << escaped(title) << "</h1>\n";
  write_controls(out, keys, differing);
  out << "<p id=\"count\" role=\"status\">" << clips.size()
      << (clips.size() == 1 ? " clip" : " clips") << "</p>\n</header>\n<main>\n";
  for (const GalleryClip& clip : clips) write_card(out, clip, differing, link);
  out << "</main>\n<script nonce=\"" << nonce << "\">" << kGalleryScript
      << "</script>\n</body>\n</html>\n";
}

}  // namespace svd::cli
