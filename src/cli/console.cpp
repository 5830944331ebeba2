#include "cli/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/json.h"

namespace svd::cli {
namespace {

constexpr const char* kRed = "\033[1;31m";
constexpr const char* kYellow = "\033[1;33m";

bool set_and_not_empty(const char* name) {
  const char* value = std::getenv(name);
  return value && *value;
}

int terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/// At most `columns` characters of UTF-8 text, counting code points.
std::string_view cut(const std::string& text, int columns) {
  int seen = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool starts_character = (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
    if (starts_character && seen++ == columns) return std::string_view(text).substr(0, i);
  }
  return text;
}

}  // namespace

ConsoleOptions console_options(const MessageOptions& messages) {
  const char* term = std::getenv("TERM");
  const bool dumb = term && std::string_view(term) == "dumb";
  const bool terminal = messages.force_tty || (isatty(STDERR_FILENO) && !dumb);
  const bool wants_bar = messages.progress == ProgressMode::bar ||
                         (messages.progress == ProgressMode::automatic && terminal);
  ConsoleOptions options;
  options.quiet = messages.quiet;
  options.verbose = messages.verbose;
  options.redraw = wants_bar && !messages.quiet;
  options.json = messages.progress == ProgressMode::json;
  options.progress = messages.progress != ProgressMode::none;
  options.colour =
      messages.color == ColorMode::always || (messages.color == ColorMode::automatic && terminal &&
                                              !dumb && !set_and_not_empty("NO_COLOR"));
  options.width = terminal_width();
  return options;
}

void Console::debug(const std::string& text) {
  if (options_.verbose) message("debug", text);
}

void Console::info(const std::string& text) {
  if (!options_.quiet) message("info", text);
}

void Console::warning(const std::string& text) {
  if (options_.quiet) return;
  if (options_.json)
    message("warning", text);
  else
    write_line(coloured(kYellow, "warning:") + " " + text);
}

void Console::always(const std::string& text) { message("info", text); }

void Console::error(const std::string& text, const std::string& hint) {
  if (options_.json)
    return event({{"event", "message"}, {"level", "error"}, {"text", text}, {"hint", hint}});
  write_line(coloured(kRed, "error:") + " " + text);
  if (!hint.empty()) write_line("hint: " + hint);
}

void Console::event(const nlohmann::ordered_json& json) {
  if (options_.json) write_line(one_line(json));
}

void Console::message(const char* level, const std::string& text) {
  if (options_.json)
    event({{"event", "message"}, {"level", level}, {"text", text}});
  else
    write_line(text);
}

void Console::status(const std::string& text) {
  if (!options_.redraw) return;
  const std::lock_guard lock(mutex_);
  erase();
  status_ = cut(text, options_.width - 1);  // a full line would wrap
  draw();
}

void Console::clear_status() {
  const std::lock_guard lock(mutex_);
  erase();
  status_.clear();
  out_.flush();
}

void Console::write_line(const std::string& text) {
  const std::lock_guard lock(mutex_);
  erase();
  out_ << text << '\n';
  draw();
}

void Console::draw() {
  out_ << status_;
  out_.flush();
}

void Console::erase() {
  if (!status_.empty()) out_ << "\r\033[K";
}

std::string Console::coloured(const char* code, const char* text) const {
  return options_.colour ? std::string(code) + text + "\033[0m" : text;
}

}  // namespace svd::cli
