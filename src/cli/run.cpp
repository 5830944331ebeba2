#include "cli/run.h"

#include <csignal>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/bench.h"
#include "cli/completions.h"
#include "cli/console.h"
#include "cli/dataset.h"
#include "cli/doctor.h"
#include "cli/failure.h"
#include "cli/gallery.h"
#include "cli/inspect.h"
#include "cli/manual.h"
#include "cli/options.h"
#include "cli/print_config.h"
#include "cli/render.h"
#include "cli/report.h"
#include "cli/signals.h"
#include "cli/synth.h"
#include "cli/train.h"
#include "cli/version.h"

namespace svd::cli {
namespace {

void show_failure(const Failure& failure, Console& console) {
  console.clear_status();
  console.error(failure.message, failure.hint);
}

void print_json(const nlohmann::ordered_json& json) { std::cout << dump(json) << std::endl; }

nlohmann::ordered_json failed_json(const Failure& failure) {
  return {{"status", "failed"}, {"error", to_json(failure)}};
}

/// Runs `body(signals)`, which may be asked to stop, and then `report(failure)`, which may name a
/// failure that was shown already. Returns the exit code.
template <class Body, class Report>
int run_stoppable(const MessageOptions& messages, Console& console, const Body& body,
                  const Report& report) {
  // A reader of messages that goes away, or a size limit, is an error of a write, not of the
  // render.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  std::optional<SignalWatcher> signals(std::in_place);
  std::optional<Failure> failure;
  try {
    body(*signals);
  } catch (...) {
    failure = describe_failure(std::current_exception(), messages.verbose, signals->received());
    show_failure(*failure, console);
  }
  report(failure);
  const int signal = signals->received();
  signals.reset();
  if (!failure) return 0;  // a signal that came too late to stop anything
  if (signal != 0 && failure->kind == ErrorKind::interrupted) die_of(signal);
  return failure->exit_code;
}

nlohmann::ordered_json list_json(const Outcome& outcome) {
  nlohmann::ordered_json clips = nlohmann::ordered_json::array();
  for (const Report& report : outcome.reports) clips.push_back(to_json(report));
  return {{"status", outcome.failure ? "failed" : "done"},
          {"clips", std::move(clips)},
          {"error", outcome.failure ? to_json(*outcome.failure) : nlohmann::ordered_json()}};
}

/// What renders: `body(signals, outcome)`.
template <class Body>
int run_rendering(const MessageOptions& messages, Console& console, const Body& body) {
  Outcome outcome;
  const auto run = [&](SignalWatcher& signals) { body(signals, outcome); };
  return run_stoppable(messages, console, run, [&](std::optional<Failure>& failure) {
    if (failure && !outcome.is_list) {  // of the clip at hand, or before there was one
      if (outcome.reports.empty()) outcome.reports.emplace_back();
      outcome.reports.back().failure = failure;
    }
    if (!failure) failure = outcome.failure;
    for (const Report& report : outcome.reports)  // whatever failed before
      if (report.failure && report.failure->kind == ErrorKind::interrupted)
        failure = report.failure;
    outcome.failure = failure;
    if (!messages.json) return;
    print_json(outcome.is_list ? list_json(outcome) : to_json(outcome.reports.back()));
  });
}

int run_render(const CommandLine& line, Console& console) {
  if (line.render.print_config) {
    print_json(print_config(line.render));
    return 0;
  }
  return run_rendering(line.messages, console, [&](SignalWatcher& signals, Outcome& outcome) {
    render(line.render, line.messages, console, signals, outcome);
  });
}

int run_replay(const CommandLine& line, Console& console) {
  return run_rendering(line.messages, console, [&](SignalWatcher& signals, Outcome& outcome) {
    replay(line.replay, console, signals, outcome);
  });
}

int run_decode(const CommandLine& line, Console& console) {
  return run_rendering(line.messages, console, [&](SignalWatcher& signals, Outcome& outcome) {
    decode(line.decode, console, signals, outcome);
  });
}

int run_bench(const CommandLine& line, Console& console) {
  const bool json = line.messages.json;
  const auto body = [&](SignalWatcher& signals) {
    bench(line.bench, json, console, signals, std::cout);
  };
  return run_stoppable(line.messages, console, body, [&](const std::optional<Failure>& failure) {
    if (json && failure) print_json(failed_json(*failure));
  });
}

/// What may be stopped and prints no result.
template <class Body>
int run_quietly(const CommandLine& line, Console& console, const Body& body) {
  return run_stoppable(line.messages, console, body, [](const std::optional<Failure>&) {});
}

/// A failure that nothing else reports.
int fail(const std::exception_ptr& exception, const MessageOptions& messages, Console& console) {
  const Failure failure = describe_failure(exception, messages.verbose);
  show_failure(failure, console);
  if (messages.json) print_json(failed_json(failure));
  return failure.exit_code;
}

int execute(const CommandLine& line, Console& console) {
  switch (line.command) {
    case Command::help:
      std::cout << line.help;
      return 0;
    case Command::version:
      std::cout << (line.messages.json ? version_json() + "\n" : version_text());
      return 0;
    case Command::inspect:
      return inspect(line.inspect, line.messages.json, console, std::cout);
    case Command::render:
      return run_render(line, console);
    case Command::bench:
      return run_bench(line, console);
    case Command::replay:
      return run_replay(line, console);
    case Command::decode:
      return run_decode(line, console);
    case Command::show:
      std::cout << dump(show(line.show_file)) << std::endl;
      return 0;
    case Command::doctor:
      return doctor(line.doctor, line.messages.json, std::cout);
    case Command::gallery:
      gallery(line.gallery, console);
      return 0;
    case Command::synth:
      return run_quietly(line, console,
                         [&](SignalWatcher& signals) { synth(line.synth, console, signals); });
    case Command::dataset:
      return run_quietly(line, console,
                         [&](SignalWatcher& signals) { dataset(line.dataset, console, signals); });
    case Command::train:
      return run_quietly(line, console,
                         [&](SignalWatcher& signals) { train(line.train, console, signals); });
    case Command::completions:
      std::cout << completions(line.shell);
      return 0;
    case Command::manual:
      std::cout << manual();
      return 0;
  }
  return 1;
}

int parse_and_execute(const std::vector<std::string>& arguments) {
  CommandLine line;
  line.messages.json = wants_json(arguments);
  try {
    line = parse_command_line(arguments);
  } catch (...) {
    Console console(std::cerr, console_options({}));
    return fail(std::current_exception(), line.messages, console);
  }
  const MessageOptions& messages = line.messages;
  Console console(std::cerr, console_options(messages));
  try {
    return execute(line, console);
  } catch (...) {
    return fail(std::current_exception(), messages, console);
  }
}

}  // namespace

int run(int argc, char** argv) {
  const int code =
      parse_and_execute(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
  std::cout.flush();
  if (code == 0 && !std::cout) {
    std::cerr << "error: standard output cannot be written\n";
    return static_cast<int>(ErrorKind::output);
  }
  return code;
}

}  // namespace svd::cli
