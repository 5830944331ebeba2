#pragma once

#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <ostream>
#include <string>

#include "cli/options.h"

namespace svd::cli {

/// What the process' standard error can do, and what was asked for.
struct ConsoleOptions {
  bool quiet = false;    ///< errors only
  bool verbose = false;  ///< debug lines too
  bool redraw = false;   ///< a status line may be redrawn (terminal)
  bool colour = false;
  bool json = false;     ///< every line is a JSON object
  bool progress = true;  ///< stages are announced
  int width = 80;        ///< columns of the terminal
};

/// From isatty(stderr), TERM, NO_COLOR, the window's size and what was asked for.
ConsoleOptions console_options(const MessageOptions& messages);

/// The one writer of messages for people. Lines scroll above a status line that is redrawn in
/// place. Every method may be called from any thread.
class Console {
 public:
  Console(std::ostream& out, const ConsoleOptions& options) : out_(out), options_(options) {}
  ~Console() { clear_status(); }
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  const ConsoleOptions& options() const { return options_; }

  void debug(const std::string& text);    ///< with --verbose
  void info(const std::string& text);     ///< unless --quiet
  void warning(const std::string& text);  ///< unless --quiet
  void always(const std::string& text);   ///< with --quiet too
  void error(const std::string& message, const std::string& hint);

  /// Writes a line of JSON, if lines are JSON.
  void event(const nlohmann::ordered_json& json);

  /// Replaces the status line, cut to the terminal's width. Nothing where lines cannot be redrawn.
  void status(const std::string& text);
  void clear_status();

 private:
  void message(const char* level, const std::string& text);
  void write_line(const std::string& text);
  void draw();
  void erase();
  std::string coloured(const char* code, const char* text) const;

  std::ostream& out_;
  const ConsoleOptions options_;
  std::mutex mutex_;
  std::string status_;  ///< what is drawn; empty: nothing
};

}  // namespace svd::cli
