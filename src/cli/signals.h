#pragma once

#include <atomic>
#include <csignal>
#include <functional>
#include <stop_token>
#include <thread>

namespace svd::cli {

/// Turns SIGINT, SIGTERM and SIGHUP into a stop request. Construct it before any other thread
/// exists: the signals are blocked for the whole process and awaited in one thread. Until `begin`
/// they act at once, as there is nothing to clean up; from then on the first asks to stop and the
/// second acts. A signal that was ignored at the start stays ignored.
class SignalWatcher {
 public:
  SignalWatcher();
  /// Restores the signal mask. A signal that was `received` stays for the caller to `die_of`.
  ~SignalWatcher();
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

  /// From here on `stop_token` is used; `on_first` is called in the watching thread with the first
  /// signal. To be called once.
  std::stop_token begin(std::function<void()> on_first);

  /// The signal that asked to stop; 0: none.
  int received() const { return received_; }

 private:
  void watch();

  sigset_t watched_{};
  sigset_t previous_mask_{};
  std::stop_source stop_;
  std::function<void()> on_first_;
  std::atomic<bool> graceful_ = false;
  std::atomic<bool> closing_ = false;
  std::atomic<int> received_ = 0;
  std::thread thread_;
};

/// Ends the process by `signal`'s default action.
[[noreturn]] void die_of(int signal);

}  // namespace svd::cli
