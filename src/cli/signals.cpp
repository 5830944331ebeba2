#include "cli/signals.h"

#include <pthread.h>
#include <unistd.h>

#include <initializer_list>

namespace svd::cli {

void die_of(int signal) {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  sigaction(signal, &action, nullptr);
  sigset_t only{};
  sigemptyset(&only);
  sigaddset(&only, signal);
  pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
  raise(signal);
  _exit(128 + signal);
}

SignalWatcher::SignalWatcher() {
  sigemptyset(&watched_);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action {};
    sigaction(signal, nullptr, &action);
    if (action.sa_handler != SIG_IGN) sigaddset(&watched_, signal);
  }
  // SIGUSR1 wakes the watching thread for the end; it is directed to that thread alone.
  sigset_t blocked = watched_;
  sigaddset(&blocked, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &blocked, &previous_mask_);
  thread_ = std::thread([this] { watch(); });
}

SignalWatcher::~SignalWatcher() {
  closing_ = true;
  pthread_kill(thread_.native_handle(), SIGUSR1);
  thread_.join();
  pthread_sigmask(SIG_SETMASK, &previous_mask_, nullptr);
}

std::stop_token SignalWatcher::begin(std::function<void()> on_first) {
  on_first_ = std::move(on_first);
  graceful_ = true;  // publishes on_first_ to the thread
  return stop_.get_token();
}

void SignalWatcher::watch() {
  sigset_t awaited = watched_;
  sigaddset(&awaited, SIGUSR1);
  for (;;) {
    int signal = 0;
    if (sigwait(&awaited, &signal) != 0) continue;
    if (signal == SIGUSR1) {
      if (closing_) return;
      continue;
    }
    if (!graceful_ || received_ != 0) die_of(signal);
    received_ = signal;
    stop_.request_stop();
    on_first_();
  }
}

}  // namespace svd::cli
